/*-------------------------------------------------------------------------
 *
 * flow_fetch.c
 *	  What an endpoint gives, as the records of a source.
 *
 * Records are fetched page by page as the stage asks for them, and become cells
 * in the form in which the columns want them.  Where only what is new is read,
 * what the endpoint of tombstones gives follows: rows that say by their key which
 * others are gone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_attempt.h"

/* A record that is made */
typedef struct Making
{
	SyncEndpointReader *reader;
	SyncRecord *record;
	const char *column; /* at work; NULL: none */
} Making;

static void take_over(SyncFlow *flow);
static void open_part(SyncEndpointReader *reader, SyncEndpointPart *part);
static void open_removed(SyncFlow *flow, bool full_refresh);
static bool deletes(SyncStream *stream);
static void look_ahead(SyncEndpointReader *reader);
static bool advance(SyncEndpointReader *reader);
static void want_fields(SyncEndpointReader *reader);
static void want_of(SyncEndpointReader *reader, SyncEndpointPart *part);
static bool next_record(void *reader, SyncRecord *record);
static void make_record(void *making);
static char *make_text(SyncEndpointReader *reader);
static char *cell_of(SyncEndpointReader *reader, int i);
static char *make_cell(JsonbValue *value, SyncFieldForm form);
static void name_place(SyncEndpointReader *reader, SyncRecord *record);
static void end_fetch(void *reader);

/*
 * The records that a reader gives.
 */
SyncRecords *
sync_flow_fetch_records(SyncEndpointReader *reader)
{
	SyncRecords *records = palloc0(sizeof(SyncRecords));

	records->next = next_record;
	records->bytes = sync_flow_fetch_bytes;
	records->end = end_fetch;
	records->arg = reader;
	return records;
}

/*
 * Begin to fetch what is new since the last run, or all with "full_refresh" and
 * where that cannot be said; and have the merge look at no rows but those of the
 * tenant.  Nothing is gone for not having come where not all was asked for.
 */
void
sync_flow_fetch_begin(SyncFlow *flow, bool full_refresh)
{
	SyncEndpointReader *reader = flow->fetched;

	if (flow->stream->endpoint->fetched)
		take_over(flow);
	else
	{
		sync_flow_fetch_open(flow, full_refresh);
		if (reader->known && reader->whole)
			look_ahead(reader);
	}
	flow->merge.scope = sync_flow_scope(flow);
	flow->merge.partial =
		reader->partial ||
		(reader->whole && sync_provider_unchanged(reader->given.fetch) > 0 &&
		 !sync_provider_is_changed(reader->given.fetch));
}

/*
 * Open the fetches of a run, and settle where they begin.
 */
void
sync_flow_fetch_open(SyncFlow *flow, bool full_refresh)
{
	SyncEndpointReader *reader = flow->fetched;
	SyncFlowEndpoint *given = flow->stream->endpoint;

	if (given->tenant_column && given->tenant == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s needs a timing_partner_id", flow->stream->label),
				errdetail("It fills column \"%s\" with it.",
						  given->tenant_column),
				errhint("Give it: timing_partner_id => 7."));
	if (given->tenant)
		reader->tenant = psprintf(INT64_FORMAT, *given->tenant);
	flow->merge.scope = sync_flow_scope(flow);
	reader->at = &reader->given;
	open_part(reader, &reader->given);
	reader->given.since =
		sync_flow_since_apply(flow, &reader->given, NIL, full_refresh);
	reader->partial = !sync_flow_since_is_everything(reader->given.since);
	open_removed(flow, full_refresh);

	reader->whole = deletes(flow->stream) && !reader->partial;
	reader->known =
		sync_flow_known_apply(flow, &reader->given, reader->whole, full_refresh);
}

/*
 * The part of a fetch that follows the one at hand, NULL: none.
 */
SyncEndpointPart *
sync_flow_fetch_part_after(SyncEndpointReader *reader)
{
	return reader->at == &reader->given && reader->removed.since &&
				   !sync_flow_since_is_everything(reader->given.since)
			   ? &reader->removed
			   : NULL;
}

/*
 * All was read.  Where pages were as they had been, not all of it came.
 */
void
sync_flow_fetch_end(SyncFlow *flow)
{
	if (sync_provider_unchanged(flow->fetched->given.fetch) > 0)
		flow->merge.partial = true;
}

/*
 * Store how far the endpoint was read and what is known of it, in the current
 * transaction.
 */
void
sync_flow_fetch_store(SyncFlow *flow)
{
	SyncEndpointReader *reader = flow->fetched;

	if (reader == NULL || reader->given.fetch == NULL)
		return;
	if (reader->given.since)
		sync_flow_since_store(flow, &reader->given);
	if (reader->removed.since)
		sync_flow_since_store(flow, &reader->removed);
	if (reader->known)
		sync_flow_known_store(flow, &reader->given, reader->known);
}

/*
 * How many bytes came; "bytes" of SyncRecords.
 */
int64
sync_flow_fetch_bytes(void *arg)
{
	SyncEndpointReader *reader = arg;
	int64 bytes = 0;

	if (reader->given.fetch)
		bytes += sync_provider_counts(reader->given.fetch)->bytes;
	if (reader->removed.fetch)
		bytes += sync_provider_counts(reader->removed.fetch)->bytes;
	return bytes;
}

/*
 * Tell history what was fetched.
 */
void
sync_flow_fetch_describe(SyncFlow *flow, SyncRun *run)
{
	SyncEndpointReader *reader = flow->fetched;
	SyncFetchCounts counts;

	if (reader == NULL || reader->given.fetch == NULL)
		return;
	sync_flow_since_describe(reader->given.since, run);
	if (flow->stream->endpoint->asked)
		sync_history_add_detail(run, "params", flow->stream->endpoint->asked);
	counts = *sync_provider_counts(reader->given.fetch);
	if (reader->removed.fetch)
	{
		const SyncFetchCounts *more =
			sync_provider_counts(reader->removed.fetch);

		counts.requests += more->requests;
		counts.pages += more->pages;
		counts.records += more->records;
		counts.bytes += more->bytes;
		counts.retries += more->retries;
		counts.waited_ms += more->waited_ms;
	}
	sync_history_add_detail(run,
							"fetch",
							psprintf("{\"requests\": " INT64_FORMAT
									 ", \"pages\": " INT64_FORMAT
									 ", \"unchanged\": " INT64_FORMAT
									 ", \"records\": " INT64_FORMAT
									 ", \"bytes\": " INT64_FORMAT
									 ", \"retries\": " INT64_FORMAT
									 ", \"waited_ms\": " INT64_FORMAT "}",
									 counts.requests,
									 counts.pages,
									 sync_provider_unchanged(reader->given.fetch),
									 counts.records,
									 counts.bytes,
									 counts.retries,
									 counts.waited_ms));
}

/*
 * Take over what was fetched before.  Raises where it might not hold any more.
 */
static void
take_over(SyncFlow *flow)
{
	SyncFlowEndpoint *endpoint = flow->stream->endpoint;
	SyncEndpointReader *reader = flow->fetched;
	SyncEndpointReader *fetched = endpoint->fetched;

	reader->tenant = fetched->tenant;
	reader->given = fetched->given;
	reader->removed = fetched->removed;
	reader->known = fetched->known;
	reader->partial = fetched->partial;
	reader->whole = fetched->whole;
	reader->at = &reader->given;
	if (strcmp(endpoint->name, reader->given.endpoint->name) != 0 ||
		strcmp(endpoint->describe(flow, reader), endpoint->fetched_as) != 0)
		ereport(ERROR,
				errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				errmsg("%s has changed, or another run of it has written, since the fetch began",
					   flow->stream->label),
				errdetail("What was fetched may be older than what is there."),
				errhint("Fetch it again."));
}

/*
 * Open the fetch from an endpoint.
 */
static void
open_part(SyncEndpointReader *reader, SyncEndpointPart *part)
{
	SyncStream *stream = reader->stream;

	part->fetch =
		sync_provider_open(part->endpoint->name,
						   sync_flow_endpoint_params(stream, part->endpoint),
						   stream->endpoint->tenant,
						   NULL);
	sync_provider_tolerate(part->fetch, sync_flow_allows_rejects(stream));
	/* rows that are appended are written between those that come */
	if (stream->mode != SYNC_MODE_APPEND)
		sync_provider_read_ahead(part->fetch);
}

/*
 * Open the endpoint that says which records are no more, where gone rows are to
 * go and not all is read.  It is asked since no earlier than the other one was,
 * since what was removed before may be there again.
 */
static void
open_removed(SyncFlow *flow, bool full_refresh)
{
	SyncEndpointReader *reader = flow->fetched;
	SyncEndpointPart *removed = &reader->removed;
	SyncEndpointPart *given = &reader->given;
	char *name =
		sync_kit_json_string(given->endpoint->incremental, "tombstones");

	if (name == NULL || !deletes(flow->stream) || given->since == NULL)
		return;
	removed->endpoint = sync_provider_load_endpoint(name);
	open_part(reader, removed);
	if (sync_provider_is_by_parent(removed->endpoint) !=
		sync_provider_is_by_parent(given->endpoint))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("endpoint \"%s\" cannot have endpoint \"%s\" for its tombstones",
					   given->endpoint->name,
					   name),
				errdetail("Only one of them is read from marks of its parents on."),
				errhint("Let incremental.scope of both say the same."));
	removed->since = sync_flow_since_apply(flow,
										   removed,
										   sync_flow_since_marks(given->since),
										   full_refresh || !reader->partial);
}

/*
 * Whether runs of a stream delete rows, or mark them.
 */
static bool
deletes(SyncStream *stream)
{
	return stream->mode == SYNC_MODE_MIRROR ||
		   stream->mode == SYNC_MODE_SOFT_DELETE;
}

/*
 * Wait for the first record, which shows whether all pages are as they were.
 */
static void
look_ahead(SyncEndpointReader *reader)
{
	reader->ended = !sync_provider_advance(reader->given.fetch);
	reader->ahead = true;
}

/*
 * Go to the next record, of one endpoint and then of the other; false after the
 * last.
 */
static bool
advance(SyncEndpointReader *reader)
{
	if (reader->ahead)
	{
		reader->ahead = false;
		if (!reader->ended)
			return true;
	}
	while (reader->at)
	{
		if (sync_provider_advance(reader->at->fetch))
			return true;
		reader->at = sync_flow_fetch_part_after(reader);
	}
	return false;
}

/*
 * Settle what is wanted of each record, once the columns have been prepared.
 */
static void
want_fields(SyncEndpointReader *reader)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	SyncField *fields = sync_stage_columns_fields(reader->mapping);
	int nfields = sync_stage_columns_nfields(reader->mapping);
	SyncHeader *header = &reader->header;

	sync_flow_endpoint_check(reader);
	header->count = nfields;
	header->encoding = GetDatabaseEncoding();
	header->checked = true;
	header->names = palloc(Max(nfields, 1) * sizeof(char *));
	header->places = palloc(Max(nfields, 1) * sizeof(int));
	header->forms = palloc(Max(nfields, 1) * sizeof(SyncFieldForm));
	for (int i = 0; i < nfields; i++)
	{
		header->names[i] = fields[i].name;
		header->places[i] = i;
		header->forms[i] = fields[i].form;
	}
	want_of(reader, &reader->given);
	if (reader->removed.fetch)
		want_of(reader, &reader->removed);
	MemoryContextSwitchTo(caller);
}

/*
 * Say what is wanted of the records of one endpoint.
 */
static void
want_of(SyncEndpointReader *reader, SyncEndpointPart *part)
{
	const char *tenant_column = reader->stream->endpoint->tenant_column;
	SyncHeader *header = &reader->header;
	List *names = NIL;

	part->wanted = palloc(Max(header->count, 1) * sizeof(int));
	for (int i = 0; i < header->count; i++)
	{
		const char *name = header->names[i];

		if (tenant_column && strcmp(name, tenant_column) == 0)
			part->wanted[i] = SYNC_WANTED_TENANT;
		else if (!sync_provider_gives(part->endpoint, name))
			part->wanted[i] = SYNC_WANTED_NOTHING;
		else
		{
			part->wanted[i] = list_length(names);
			names = lappend(names, unconstify(char *, name));
		}
	}
	sync_provider_want(part->fetch,
					   names,
					   sync_stage_columns_want_record(reader->mapping));
}

/*
 * The next record, in the current memory context; "next" of SyncRecords.
 */
static bool
next_record(void *arg, SyncRecord *record)
{
	SyncEndpointReader *reader = arg;
	Making making = {.reader = reader, .record = record};
	SyncFetch *fetch;
	ErrorData *fault;

	if (reader->header.names == NULL)
		want_fields(reader);
	if (!advance(reader))
		return false;
	fetch = reader->at->fetch;
	name_place(reader, record);
	record->gone = reader->at == &reader->removed;
	fault = sync_provider_fault_of_record(fetch);
	if (fault == NULL)
		fault = sync_kit_compute(make_record, &making);
	if (fault)
	{
		record->fault = sync_provider_tell_fault(fetch, fault);
		if (making.column)
			record->fault->column_name = pstrdup(making.column);
		record->text = sync_provider_raw(fetch);
		record->length = strlen(record->text);
		record->encoding = reader->header.encoding;
	}
	return true;
}

/*
 * Make the text or the cells of the record at hand.
 */
static void
make_record(void *arg)
{
	Making *making = arg;
	SyncEndpointReader *reader = making->reader;
	SyncRecord *record = making->record;
	SyncHeader *header = &reader->header;

	if (sync_stage_columns_want_record(reader->mapping))
	{
		record->text = make_text(reader);
		record->length = strlen(record->text);
		record->encoding = header->encoding;
		return;
	}
	record->header = header;
	record->ncells = header->count;
	record->cells = palloc(Max(header->count, 1) * sizeof(char *));
	record->kept = true;
	for (int i = 0; i < header->count; i++)
	{
		making->column = header->names[i];
		record->cells[i] = cell_of(reader, i);
	}
}

/*
 * The record at hand as JSON, with the tenant.
 */
static char *
make_text(SyncEndpointReader *reader)
{
	Jsonb *made = sync_provider_record(reader->at->fetch);
	StringInfoData json;

	initStringInfo(&json);
	if (reader->stream->endpoint->tenant_column && JB_ROOT_IS_OBJECT(made))
	{
		appendStringInfoChar(&json, '{');
		escape_json(&json, reader->stream->endpoint->tenant_column);
		appendStringInfo(&json,
						 ": %s%s",
						 reader->tenant,
						 JB_ROOT_COUNT(made) > 0 ? ", " : "}");
		if (JB_ROOT_COUNT(made) > 0)
			appendStringInfoString(&json,
								   JsonbToCString(NULL,
												  &made->root,
												  VARSIZE(made)) +
									   1);
	}
	else
		(void) JsonbToCString(&json, &made->root, VARSIZE(made));
	return json.data;
}

/*
 * A cell of the record at hand, NULL where there is nothing.
 */
static char *
cell_of(SyncEndpointReader *reader, int i)
{
	int wanted = reader->at->wanted[i];
	char *text;

	if (wanted == SYNC_WANTED_TENANT)
		return reader->tenant;
	if (wanted == SYNC_WANTED_NOTHING)
		return NULL;
	if (reader->header.forms[i] == SYNC_FIELD_TEXT &&
		sync_provider_text(reader->at->fetch, wanted, &text))
		return text;
	return make_cell(sync_provider_value(reader->at->fetch, wanted),
					 reader->header.forms[i]);
}

/*
 * A value in the form in which it is wanted, in the current memory context.
 */
static char *
make_cell(JsonbValue *value, SyncFieldForm form)
{
	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (form == SYNC_FIELD_JSON && IsAJsonbScalar(value))
	{
		Jsonb *scalar = JsonbValueToJsonb(value);

		return JsonbToCString(NULL, &scalar->root, VARSIZE(scalar));
	}
	if (form == SYNC_FIELD_ARRAY && sync_kit_json_is_array(value))
		return sync_stage_array_text(value->val.binary.data);
	return sync_kit_json_text(value);
}

/*
 * Say where a record is: on which page, and the how manieth there.
 */
static void
name_place(SyncEndpointReader *reader, SyncRecord *record)
{
	SyncFetch *fetch = reader->at->fetch;
	int64 page = sync_provider_page(fetch);

	if (reader->name == NULL || page != reader->page ||
		(reader->at == &reader->removed) != (reader->page_of_removed))
	{
		MemoryContext caller = MemoryContextSwitchTo(reader->context);

		reader->page = page;
		reader->page_of_removed = reader->at == &reader->removed;
		reader->name = psprintf("endpoint %s, page " INT64_FORMAT,
								reader->at->endpoint->name,
								page);
		MemoryContextSwitchTo(caller);
	}
	record->paged = true;
	record->file = reader->name;
	record->line = sync_provider_place(fetch);
}

/*
 * Stop to fetch, at the end or before it; "end" of SyncRecords.
 */
static void
end_fetch(void *arg)
{
	SyncEndpointReader *reader = arg;

	if (reader->given.fetch)
		sync_provider_stop(reader->given.fetch);
	if (reader->removed.fetch)
		sync_provider_stop(reader->removed.fetch);
}
