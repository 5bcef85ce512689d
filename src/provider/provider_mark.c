/*-------------------------------------------------------------------------
 *
 * provider_mark.c
 *	  How far an endpoint was read: since when it is asked, and what the highest
 *	  is that came.
 *
 * There is one mark for all that a fetch asks for, or, where incremental.scope
 * is "parent", one for each parent: a parent that is new is read from its
 * beginning.  A mark is the highest value of incremental.field, or, where
 * none is declared, the time at which the fetch was opened.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "kit/kit_iso.h"
#include "provider/provider_bad.h"
#include "provider/provider_known.h"
#include "provider/provider_records.h"

/* A mark, found by a hash of its parent */
typedef struct MarkEntry
{
	uint64 hash;
	SyncFetchMark mark;
	TimestampTz highest; /* of a mark that is a time */
	bool has_highest;
	bool is_time; /* else it is a text, or a number where two look so */
} MarkEntry;

static bool has_mode(SyncFetch *fetch, const char *mode);
static MarkEntry *find_mark(SyncFetch *fetch, const char *parent);
static bool is_time(SyncFetch *fetch);
static bool is_higher(SyncFetch *fetch, MarkEntry *entry, const char *value);
static bool is_number(const char *text);
static bool read_time(const char *text, TimestampTz *time);

/*
 * Take up marks that were stored, SyncFetchMark, of several for one parent the
 * highest; before the first step.
 */
void
sync_provider_set_marks(SyncFetch *fetch, List *marks)
{
	ListCell *cell;

	fetch->keeps_marks = true;
	foreach(cell, marks)
	{
		SyncFetchMark *stored = lfirst(cell);
		MarkEntry *entry = find_mark(fetch, stored->parent);

		if (!is_higher(fetch, entry, stored->highest))
			continue;
		entry->mark.since =
			MemoryContextStrdup(fetch->context, stored->highest);
		entry->mark.highest = entry->mark.since;
	}
	sync_provider_begin_mark(fetch);
}

/*
 * The marks as they are now, SyncFetchMark, in the current memory context.
 */
List *
sync_provider_marks(SyncFetch *fetch)
{
	List *marks = NIL;
	HASH_SEQ_STATUS scan;
	MarkEntry *entry;

	if (fetch->marks == NULL)
		return NIL;
	hash_seq_init(&scan, fetch->marks);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->mark.highest)
			marks = lappend(marks, &entry->mark);
	return marks;
}

/*
 * Whether an endpoint is read from marks on.
 */
bool
sync_provider_has_marks(SyncEndpoint *endpoint)
{
	char *mode = sync_kit_json_string(endpoint->incremental, "mode");

	return endpoint->incremental && !(mode && strcmp(mode, "snapshot") == 0);
}

/*
 * Whether there is a mark for each parent.
 */
bool
sync_provider_is_by_parent(SyncEndpoint *endpoint)
{
	char *mode = sync_kit_json_string(endpoint->incremental, "mode");
	char *scope = sync_kit_json_string(endpoint->incremental, "scope");

	return endpoint->parent && scope && strcmp(scope, "parent") == 0 &&
		   !(mode && strcmp(mode, "partition") == 0);
}

/*
 * The fetch begins with a parent, or without any: ask since its mark.
 */
void
sync_provider_begin_mark(SyncFetch *fetch)
{
	JsonbValue *incremental = fetch->endpoint->incremental;
	char *field = sync_kit_json_string(incremental, "field");
	MemoryContext caller;
	MarkEntry *entry;

	fetch->mark = NULL;
	if (!fetch->keeps_marks || !sync_provider_has_marks(fetch->endpoint))
		return;
	fetch->by_parent = sync_provider_is_by_parent(fetch->endpoint);
	if (fetch->by_parent && fetch->scope.parent == NULL)
		return;
	entry = find_mark(fetch,
					  fetch->by_parent ? sync_kit_json_text(fetch->scope.parent)
									   : NULL);
	fetch->mark = entry;
	fetch->scope.since = entry->mark.since;
	/* of partitions the parents are noted */
	if (has_mode(fetch, "partition"))
		return;
	caller = MemoryContextSwitchTo(fetch->context);
	if (field == NULL)
		entry->mark.highest = pstrdup(timestamptz_to_str(fetch->opened_at));
	else if (fetch->mark_column == NULL)
		fetch->mark_column = sync_provider_column(fetch, field);
	MemoryContextSwitchTo(caller);
}

/*
 * Note that the record at hand came.
 */
void
sync_provider_mark_record(SyncFetch *fetch)
{
	if (fetch->mark && fetch->mark_column)
		sync_provider_mark_value(fetch,
								 sync_provider_mark_text(fetch,
														 fetch->mark_column));
}

/*
 * Note a value that came; NULL: none did.
 */
void
sync_provider_mark_value(SyncFetch *fetch, const char *value)
{
	MarkEntry *entry = fetch->mark;

	if (entry == NULL || value == NULL || value[0] == '\0' ||
		(entry->mark.highest && strcmp(value, entry->mark.highest) == 0) ||
		!is_higher(fetch, entry, value))
		return;
	if (entry->mark.highest && entry->mark.highest != entry->mark.since)
		pfree(entry->mark.highest);
	entry->mark.highest = MemoryContextStrdup(fetch->context, value);
}

/*
 * Whether the first record that is older than what is asked for ends the fetch.
 */
bool
sync_provider_ends_with_older(SyncFetch *fetch)
{
	return fetch->scope.since && has_mode(fetch, "client");
}

/*
 * Is the record at hand older than what is asked for, where that is to be seen here?
 */
bool
sync_provider_is_older(SyncFetch *fetch)
{
	JsonbValue *incremental = fetch->endpoint->incremental;
	char *field;
	char *value;

	if (!sync_provider_ends_with_older(fetch))
		return false;
	field = sync_kit_json_string(incremental, "field");
	value = sync_provider_mark_text(fetch, sync_provider_column(fetch, field));
	if (value == NULL)
		return false;
	/* text compares as it stands; times as times */
	if (sync_kit_json_string(incremental, "format") == NULL ||
		strcmp(sync_kit_json_string(incremental, "format"), "text") == 0)
		return strcmp(value, fetch->scope.since) < 0;
	return atoll(sync_provider_format_time(value, "epoch_ms", 0)) <
		   atoll(sync_provider_format_time(fetch->scope.since,
										   "epoch_ms",
										   -1000 *
											   sync_kit_json_integer(incremental,
																	 "lookback_s",
																	 0)));
}

/*
 * Whether incremental has that mode.
 */
static bool
has_mode(SyncFetch *fetch, const char *mode)
{
	char *found = sync_kit_json_string(fetch->endpoint->incremental, "mode");

	return found && strcmp(found, mode) == 0;
}

/*
 * The mark of a parent, which is made where there is none; NULL: of all.
 */
static MarkEntry *
find_mark(SyncFetch *fetch, const char *parent)
{
	uint64 hash = parent ? hash_bytes_extended((const unsigned char *) parent,
											   strlen(parent),
											   1)
						 : 0;
	MarkEntry *entry;
	bool found;

	if (fetch->marks == NULL)
	{
		HASHCTL how = {
			.keysize = sizeof(uint64),
			.entrysize = sizeof(MarkEntry),
			.hcxt = fetch->context,
		};

		fetch->marks = hash_create("sync fetch marks",
								   16,
								   &how,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(fetch->marks, &hash, HASH_ENTER, &found);
	if (!found)
	{
		memset(&entry->mark, 0, sizeof(entry->mark));
		entry->has_highest = false;
		entry->is_time = is_time(fetch);
		if (parent)
			entry->mark.parent = MemoryContextStrdup(fetch->context, parent);
	}
	return entry;
}

/*
 * Whether marks are times.
 */
static bool
is_time(SyncFetch *fetch)
{
	char *format = sync_kit_json_string(fetch->endpoint->incremental, "format");

	return format && strcmp(format, "text") != 0;
}

/*
 * Whether a value is above a mark, and notes it as a time where it is one.  A
 * time that is yet to come is none: all that is changed until then would be
 * missed.
 */
static bool
is_higher(SyncFetch *fetch, MarkEntry *entry, const char *value)
{
	const char *highest = entry->mark.highest;
	TimestampTz time;

	if (!entry->is_time)
		return highest == NULL ||
			   (is_number(value) && is_number(highest)
					? strtod(value, NULL) > strtod(highest, NULL)
					: strcmp(value, highest) > 0);
	if (!read_time(value, &time) || time > fetch->opened_at ||
		(entry->has_highest && time <= entry->highest))
		return false;
	entry->highest = time;
	entry->has_highest = true;
	return true;
}

/*
 * Whether a text is a number.
 */
static bool
is_number(const char *text)
{
	char *end;

	(void) strtod(text, &end);
	return end != text && *end == '\0';
}

/*
 * Read a time; false where it is none.
 */
static bool
read_time(const char *text, TimestampTz *time)
{
	char work[MAXDATELEN + MAXDATEFIELDS];
	char *fields[MAXDATEFIELDS];
	int types[MAXDATEFIELDS];
	int nfields;
	int type;
	int offset;
	struct pg_tm tm;
	fsec_t fsec;

	return sync_kit_iso_time(text, time) ||
		   (ParseDateTime(text,
						  work,
						  sizeof(work),
						  fields,
						  types,
						  MAXDATEFIELDS,
						  &nfields) == 0 &&
			sync_compat_decode_time(fields,
									types,
									nfields,
									&type,
									&tm,
									&fsec,
									&offset) == 0 &&
			type == DTK_DATE && tm2timestamp(&tm, fsec, &offset, time) == 0);
}
