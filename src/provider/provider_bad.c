/*-------------------------------------------------------------------------
 *
 * provider_bad.c
 *	  Records that cannot be read, among others that can.
 *
 * Whoever tolerates them gets each of them at its place, with what came and the
 * reason why it is none.  What is not the fault of one record is raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_attempt.h"
#include "provider/provider_bad.h"
#include "provider/provider_known.h"
#include "provider/provider_records.h"
#include "provider/provider_scan.h"

/* A line that is to be read */
typedef struct Line
{
	SyncFetch *fetch;
	const char *text;
} Line;

/* A text of a column that is to be made */
typedef struct Making
{
	SyncFetch *fetch;
	SyncColumn *column;
	char *text;
} Making;

static void read_line(void *line);
static void make_text(void *making);

/*
 * Have records that cannot be read handed out as such; before the first step.  Pages
 * that have any are kept only where the records may be "put_aside" later.
 */
void
sync_provider_tolerate(SyncFetch *fetch, bool put_aside)
{
	fetch->tolerates = true;
	fetch->puts_aside = put_aside;
}

/*
 * Why the record at hand cannot be read; NULL: it can, as far as is known.
 */
ErrorData *
sync_provider_fault_of_record(SyncFetch *fetch)
{
	return fetch->bad_found ? fetch->bad_found->error : NULL;
}

/*
 * An error that tells of a record, as it may be told: without secrets, and without
 * where it was found out, in the current memory context.
 */
ErrorData *
sync_provider_tell_fault(SyncFetch *fetch, ErrorData *known)
{
	List *secrets = sync_provider_secrets(fetch);
	ErrorData *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->sqlerrcode = known->sqlerrcode;
	error->message = sync_http_redact(known->message, secrets);
	if (known->detail)
		error->detail = sync_http_redact(known->detail, secrets);
	error->assoc_context = CurrentMemoryContext;
	return error;
}

/*
 * The record at hand as it came, but for secrets, in the current memory context.
 */
char *
sync_provider_raw(SyncFetch *fetch)
{
	const char *raw;

	if (fetch->bad_found)
		raw = fetch->bad_found->raw;
	else if (fetch->scanned)
	{
		SyncSlice *slice =
			sync_provider_scan_record(fetch->scan, fetch->record_at - 1);

		raw = pnstrdup(slice->at, slice->length);
	}
	else
	{
		Jsonb *whole = sync_kit_json_of(fetch->found);

		raw = JsonbToCString(NULL, &whole->root, VARSIZE(whole));
	}
	return sync_http_redact(raw, sync_provider_secrets(fetch));
}

/*
 * Forget the records of a page.
 */
void
sync_provider_forget_records(SyncFetch *fetch)
{
	fetch->records = NIL;
	fetch->record_at = 0;
	fetch->mends = NULL;
	fetch->bad = NIL;
	fetch->bad_at = 0;
	fetch->bad_found = NULL;
}

/*
 * Take the records of a document, behind those that are there.
 */
void
sync_provider_take_records(SyncFetch *fetch, JsonbValue *document)
{
	List *records = sync_provider_extract(fetch->endpoint, document);
	List *all_bad = NIL;

	if (sync_provider_has_mends(fetch))
	{
		ListCell *cell;

		foreach(cell, records)
		{
			SyncBadRecord *bad = sync_provider_unmend(fetch, lfirst(cell));

			if (bad == NULL)
				continue;
			bad->place =
				list_length(fetch->records) + foreach_current_index(cell);
			all_bad = lappend(all_bad, bad);
		}
		sync_provider_check_mends(fetch);
	}
	fetch->bad = list_concat(fetch->bad, all_bad);
	fetch->records = list_concat(fetch->records, records);
}

/*
 * Take the records of a line, behind those that are there.  One that is no JSON is
 * a bad record, unless it might not be "whole".
 */
void
sync_provider_take_line(SyncFetch *fetch, char *text, bool whole)
{
	Line line = {.fetch = fetch, .text = text};
	SyncBadRecord *bad;
	JsonbValue *nothing;
	ErrorData *error;

	if (!fetch->tolerates || !whole)
	{
		read_line(&line);
		return;
	}
	error = sync_kit_compute(read_line, &line);
	if (error == NULL)
		return;
	bad = palloc0(sizeof(SyncBadRecord));
	bad->place = list_length(fetch->records);
	bad->error = error;
	bad->raw = text;
	nothing = palloc0(sizeof(JsonbValue));
	nothing->type = jbvNull;
	fetch->bad = lappend(fetch->bad, bad);
	fetch->records = lappend(fetch->records, nothing);
}

/*
 * See whether the record at hand is a bad one; they are looked at in their order.
 */
void
sync_provider_seek_bad(SyncFetch *fetch)
{
	int place = fetch->record_at - 1;
	SyncBadRecord *bad = NULL;

	while (fetch->bad_at < list_length(fetch->bad))
	{
		bad = list_nth(fetch->bad, fetch->bad_at);
		if (bad->place >= place)
			break;
		fetch->bad_at++;
	}
	fetch->bad_found = bad && bad->place == place ? bad : NULL;
}

/*
 * Raise where a page that is to be kept has a bad record that nobody puts aside.
 */
void
sync_provider_check_kept(SyncFetch *fetch)
{
	SyncBadRecord *bad;
	ErrorData *error;

	if (fetch->bad == NIL || fetch->puts_aside)
		return;
	bad = linitial(fetch->bad);
	error = sync_provider_tell_fault(fetch, bad->error);
	ereport(ERROR,
			errcode(error->sqlerrcode),
			errmsg_internal("%s", error->message),
			error->detail ? errdetail_internal("%s", error->detail) : 0,
			errcontext("endpoint %s, page " INT64_FORMAT ", record %d",
					   fetch->endpoint->name,
					   fetch->pager.pages,
					   bad->place + 1));
}

/*
 * The text of a column of the record at hand, in the current memory context; NULL
 * where there is none, or it cannot be had.
 */
char *
sync_provider_mark_text(SyncFetch *fetch, SyncColumn *column)
{
	Making making = {.fetch = fetch, .column = column};

	if (!fetch->tolerates)
		return sync_provider_column_text(fetch, column);
	if (sync_kit_compute(make_text, &making) != NULL)
		return NULL;
	return making.text && sync_provider_is_mended(fetch, making.text)
			   ? NULL
			   : making.text;
}

/*
 * Read a line.
 */
static void
read_line(void *arg)
{
	Line *line = arg;
	SyncFetch *fetch = line->fetch;

	fetch->mends = NULL;
	sync_provider_take_records(
		fetch,
		sync_kit_json_value(fetch->tolerates
								? sync_provider_parse_mended(fetch, line->text)
								: sync_kit_json_parse(line->text)));
}

/*
 * Make a text of a column.
 */
static void
make_text(void *arg)
{
	Making *making = arg;

	making->text = sync_provider_column_text(making->fetch, making->column);
}
