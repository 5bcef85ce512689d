/*-------------------------------------------------------------------------
 *
 * provider_value.c
 *	  The record at hand: what is wanted of it, and where it stands.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "provider/provider_bad.h"
#include "provider/provider_known.h"
#include "provider/provider_records.h"
#include "provider/provider_scan.h"

static bool constant_text(SyncFetch *fetch,
						  int i,
						  SyncColumn *column,
						  char **text);
static JsonbValue *make_column(SyncFetch *fetch, SyncColumn *column);
static SyncColumn *find_column(SyncEndpoint *endpoint, const char *name);

/*
 * Whether records of an endpoint have a column of that name.  Those that are
 * taken as they are may have any.
 */
bool
sync_provider_gives(SyncEndpoint *endpoint, const char *name)
{
	return endpoint->columns == NIL || find_column(endpoint, name) != NULL;
}

/*
 * Say what is wanted of records: columns that the endpoint gives, and maybe the
 * "whole" with all of them.
 */
void
sync_provider_want(SyncFetch *fetch, List *names, bool whole)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	ListCell *cell;

	fetch->wanted = NIL;
	foreach(cell, names)
	{
		fetch->wanted =
			lappend(fetch->wanted, sync_provider_column(fetch, lfirst(cell)));
	}
	fetch->scan = whole ? NULL : sync_provider_scan_prepare(fetch);
	MemoryContextSwitchTo(caller);
}

/*
 * A value that is wanted of the record at hand, valid until the next one; NULL
 * or a null where there is none.
 */
JsonbValue *
sync_provider_value(SyncFetch *fetch, int i)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->record);
	JsonbValue *value = make_column(fetch, list_nth(fetch->wanted, i));

	MemoryContextSwitchTo(caller);
	return value;
}

/*
 * A value that is wanted of the record at hand as text, in the current memory
 * context, where no value has to be made for it; NULL: it is null.
 */
bool
sync_provider_text(SyncFetch *fetch, int i, char **text)
{
	SyncColumn *column = list_nth(fetch->wanted, i);

	if (!fetch->scanned)
		return false;
	return column->paths ? sync_provider_slice_text(fetch, column, text)
						 : constant_text(fetch, i, column, text);
}

/*
 * Read a page: what it says, but maybe its records, in the current memory
 * context.  One that is to be kept is not, where it has a character that is
 * none: the server's parser finds that.
 */
Jsonb *
sync_provider_read_page(SyncFetch *fetch, const char *text)
{
	bool scans = fetch->scan &&
				 !(sync_provider_is_keeping(fetch) && strstr(text, "\\u"));
	Jsonb *rest = scans ? sync_provider_scan_page(fetch, text) : NULL;

	fetch->scanned = rest != NULL;
	if (rest)
		return rest;
	return fetch->tolerates ? sync_provider_parse_mended(fetch, text)
							: sync_kit_json_parse(text);
}

/*
 * How many records the page at hand has.
 */
int
sync_provider_count(SyncFetch *fetch)
{
	return fetch->scanned ? sync_provider_scan_count(fetch->scan)
						  : list_length(fetch->records);
}

/*
 * The record at hand with all of its columns, valid until the next one.
 */
Jsonb *
sync_provider_record(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	MemoryContext caller = MemoryContextSwitchTo(fetch->record);
	Jsonb *record =
		endpoint->columns
			? sync_provider_make_columns(endpoint->columns,
										 fetch->found,
										 &fetch->scope)
			: sync_kit_json_of(fetch->found);

	MemoryContextSwitchTo(caller);
	return record;
}

/*
 * The column of that name; one that the endpoint does not have is what a record has
 * under that name, and lives in the current memory context.
 */
SyncColumn *
sync_provider_column(SyncFetch *fetch, const char *name)
{
	SyncColumn *column = find_column(fetch->endpoint, name);

	if (column == NULL)
	{
		column = palloc0(sizeof(SyncColumn));
		column->name = pstrdup(name);
	}
	return column;
}

/*
 * The text of a column of the record at hand, in the current memory context, NULL
 * where there is nothing.
 */
char *
sync_provider_column_text(SyncFetch *fetch, SyncColumn *column)
{
	char *text;

	if (fetch->scanned && column->paths &&
		sync_provider_slice_text(fetch, column, &text))
		return text;
	return sync_kit_json_text(make_column(fetch, column));
}

/*
 * Which page the record at hand is on, from 1, of all that were asked for.
 */
int64
sync_provider_page(SyncFetch *fetch)
{
	if (sync_provider_is_reading(fetch))
		return sync_provider_pages_read(fetch);
	return fetch->counts.pages + (fetch->streaming ? 1 : 0);
}

/*
 * Which one of its page it is, from 1.
 */
int64
sync_provider_place(SyncFetch *fetch)
{
	return fetch->handed_out;
}

/*
 * Error context: what is being fetched, and how far.
 */
void
sync_provider_name_fetch(void *arg)
{
	SyncFetch *fetch = arg;

	if (fetch->items)
		errcontext("while pushing to endpoint \"%s\"", fetch->endpoint->name);
	else if (fetch->pager.pages > 0)
		errcontext("while fetching endpoint \"%s\", after page " INT64_FORMAT,
				   fetch->endpoint->name,
				   fetch->pager.pages);
	else
		errcontext("while fetching endpoint \"%s\"", fetch->endpoint->name);
}

/*
 * The text of a column that a template makes, which is the same for all records of
 * a page; false where it names the time.
 */
static bool
constant_text(SyncFetch *fetch, int i, SyncColumn *column, char **text)
{
	SyncConstant *constant = sync_provider_scan_constant(fetch->scan, i);

	if (column->template_text && strstr(column->template_text, "now"))
		return false;
	if (!constant->made)
	{
		MemoryContext caller = MemoryContextSwitchTo(fetch->page);

		constant->text = sync_kit_json_text(make_column(fetch, column));
		constant->made = true;
		MemoryContextSwitchTo(caller);
	}
	*text = constant->text ? pstrdup(constant->text) : NULL;
	return true;
}

/*
 * Make a column of the record at hand.
 */
static JsonbValue *
make_column(SyncFetch *fetch, SyncColumn *column)
{
	if (column->paths == NIL && column->template_text == NULL)
		return sync_kit_json_member(fetch->found, column->name);
	return fetch->scanned && column->paths
			   ? sync_provider_slice_column(fetch, column)
			   : sync_provider_make_column(column, fetch->found, &fetch->scope);
}

/*
 * The column of that name, NULL where there is none.
 */
static SyncColumn *
find_column(SyncEndpoint *endpoint, const char *name)
{
	ListCell *cell;

	foreach(cell, endpoint->columns)
	{
		SyncColumn *column = lfirst(cell);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}
