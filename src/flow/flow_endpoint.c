/*-------------------------------------------------------------------------
 *
 * flow_endpoint.c
 *	  Endpoints of providers as sources of streams.
 *
 * Records are fetched page by page as the stage asks for them, and become cells
 * in the form in which the columns want them.  The tenant that a run is for is a
 * column like any other, and the rows that other tenants have are none of its
 * business.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_texts.h"

struct SyncEndpointReader
{
	SyncStream *stream;
	SyncEndpoint *endpoint;
	SyncColumns *mapping;
	SyncFetch *fetch; /* NULL: none is open */
	char *tenant;	  /* for the column that has it */
	SyncHeader header;
	int *wanted;	  /* of each cell: what of a record, -1: the tenant */
	int64 page;		  /* that has the name */
	const char *name; /* of the page at hand */
	MemoryContext context;
};

static List *column_names(SyncFlow *flow, SyncEndpoint *endpoint);
static JsonbValue *parsed(const char *json);
static void want_fields(SyncEndpointReader *reader);
static bool next_record(void *reader, SyncRecord *record);
static char *make_text(SyncEndpointReader *reader);
static char *make_cell(JsonbValue *value, SyncFieldForm form);
static void name_place(SyncEndpointReader *reader, SyncRecord *record);
static int64 bytes_fetched(void *reader);
static void end_fetch(void *reader);

/*
 * Say for whom a stream is to run, and what its endpoint is asked for besides
 * what the stream says; each NULL: nothing.  Raises where the stream has no
 * endpoint.
 */
void
sync_flow_ask(SyncStream *stream, const int64 *tenant, Jsonb *params)
{
	if (stream->endpoint == NULL && (tenant || params))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s takes no %s",
					   stream->label,
					   tenant ? "timing_partner_id" : "params"),
				errdetail("Its source is no endpoint."));
	if (stream->endpoint == NULL)
		return;
	if (params && (stream->mode == SYNC_MODE_MIRROR ||
				   stream->mode == SYNC_MODE_SOFT_DELETE))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s cannot be run with params of its own",
					   stream->label),
				errdetail("Its mode is %s, and what other params give would be gone.",
						  sync_flow_mode_name(stream->mode)),
				errhint("Let the stream say them, or choose mode upsert."));
	stream->endpoint->tenant = tenant;
	if (params)
		stream->endpoint->asked = JsonbToCString(NULL, &params->root, 0);
}

/*
 * Complete a definition by what its endpoint says, and raise where the endpoint
 * has no such parameters.
 */
void
sync_flow_endpoint_complete(SyncStream *stream)
{
	SyncFlowEndpoint *given = stream->endpoint;
	SyncEndpoint *endpoint = sync_provider_load_endpoint(given->name);

	sync_provider_check_params(endpoint, parsed(given->params));
	if (stream->key == NIL && stream->mode != SYNC_MODE_APPEND)
	{
		stream->key = endpoint->key;
		if (given->tenant_column && endpoint->key)
			stream->key = lcons(unconstify(char *, given->tenant_column),
								list_copy(endpoint->key));
	}
}

/*
 * Open the endpoint of a stream as a source.  Nothing is asked before
 * sync_flow_endpoint_begin.
 */
SyncSource *
sync_flow_open_endpoint(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	SyncEndpointReader *reader = palloc0(sizeof(SyncEndpointReader));
	SyncRecords *records = palloc0(sizeof(SyncRecords));

	reader->stream = stream;
	reader->context = CurrentMemoryContext;
	reader->endpoint = sync_provider_load_endpoint(stream->endpoint->name);
	reader->mapping =
		sync_stage_columns_create(sync_flow_endpoint_columns(stream),
								  column_names(flow, reader->endpoint),
								  stream->label);
	flow->fetched = reader;

	records->next = next_record;
	records->bytes = bytes_fetched;
	records->end = end_fetch;
	records->arg = reader;
	return sync_stage_open_records(records, reader->mapping);
}

/*
 * Raise where a field is wanted that records of the endpoint do not have; the
 * columns have to be prepared.
 */
void
sync_flow_endpoint_check(SyncEndpointReader *reader)
{
	const char *tenant_column = reader->stream->endpoint->tenant_column;
	SyncField *fields = sync_stage_columns_fields(reader->mapping);

	for (int i = 0; i < sync_stage_columns_nfields(reader->mapping); i++)
	{
		const char *name = fields[i].name;

		if (!sync_provider_gives(reader->endpoint, name) &&
			!(tenant_column && strcmp(name, tenant_column) == 0))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("endpoint \"%s\" of %s gives no column \"%s\"",
						   reader->endpoint->name,
						   reader->stream->label,
						   name),
					errhint("Column columns of sync_endpoints has the names."));
	}
}

/*
 * Begin to fetch, with "since" as what is known already, NULL: nothing is; and
 * have the merge look at no rows but those of the tenant.
 */
void
sync_flow_endpoint_begin(SyncFlow *flow, const char *since)
{
	SyncEndpointReader *reader = flow->fetched;
	SyncFlowEndpoint *given = flow->stream->endpoint;
	JsonbValue *params = parsed(given->params);

	if (given->tenant_column && given->tenant == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s needs a timing_partner_id", flow->stream->label),
				errdetail("It fills column \"%s\" with it.",
						  given->tenant_column),
				errhint("Give it: timing_partner_id => 7."));
	if (given->asked)
		params = sync_kit_json_value(DatumGetJsonbP(DirectFunctionCall2(
			jsonb_concat,
			JsonbPGetDatum(sync_kit_json_parse(given->params ? given->params
															 : "{}")),
			JsonbPGetDatum(sync_kit_json_parse(given->asked)))));
	if (given->tenant)
		reader->tenant = psprintf(INT64_FORMAT, *given->tenant);
	reader->fetch =
		sync_provider_open(given->name, params, given->tenant, since);
	if (given->tenant_column)
		flow->merge.scope = sync_flow_endpoint_scope(flow, reader->tenant);
}

/*
 * The condition that a row "t" of the target is of a tenant, as SQL.
 */
char *
sync_flow_endpoint_scope(SyncFlow *flow, const char *tenant)
{
	const char *column = flow->stream->endpoint->tenant_column;
	TupleDesc columns = RelationGetDescr(flow->target->relation);

	for (int i = 0; i < columns->natts; i++)
		if (!TupleDescAttr(columns, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(columns, i)->attname), column) == 0)
			return psprintf("t.%s %s %s",
							sync_kit_quote(column),
							sync_kit_order_equality(TupleDescAttr(columns, i)
														->atttypid),
							quote_literal_cstr(tenant));
	elog(ERROR, "no column \"%s\"", column);
}

/*
 * Tell history what was fetched.
 */
void
sync_flow_endpoint_describe(SyncFlow *flow, SyncRun *run)
{
	const SyncFetchCounts *counts;

	if (flow->fetched == NULL || flow->fetched->fetch == NULL)
		return;
	counts = sync_provider_counts(flow->fetched->fetch);
	sync_history_add_detail(run,
							"fetch",
							psprintf("{\"requests\": " INT64_FORMAT
									 ", \"pages\": " INT64_FORMAT
									 ", \"records\": " INT64_FORMAT
									 ", \"bytes\": " INT64_FORMAT
									 ", \"retries\": " INT64_FORMAT
									 ", \"waited_ms\": " INT64_FORMAT "}",
									 counts->requests,
									 counts->pages,
									 counts->records,
									 counts->bytes,
									 counts->retries,
									 counts->waited_ms));
}

/*
 * The columns that a source has where the stream does not say which: those of
 * the endpoint that the target has, and that of the tenant.  Records that are
 * taken as they are may have any.
 */
static List *
column_names(SyncFlow *flow, SyncEndpoint *endpoint)
{
	SyncStream *stream = flow->stream;
	TupleDesc columns = RelationGetDescr(flow->target->relation);
	List *names = NIL;

	if (endpoint->columns == NIL)
		return sync_flow_plain_columns(stream, flow->target);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		char *name = NameStr(column->attname);
		bool is_tenant = stream->endpoint->tenant_column &&
						 strcmp(name, stream->endpoint->tenant_column) == 0;

		if (column->attisdropped || column->attgenerated ||
			(stream->synced_at && strcmp(name, stream->synced_at) == 0) ||
			(stream->deleted_at && strcmp(name, stream->deleted_at) == 0))
			continue;
		if (is_tenant || sync_provider_gives(endpoint, name))
			names = lappend(names, name);
	}
	return names;
}

/*
 * The list of columns that the stream declares, with that of the tenant; NULL
 * where it declares none.
 */
const char *
sync_flow_endpoint_columns(SyncStream *stream)
{
	SyncFlowEndpoint *given = stream->endpoint;

	if (given->columns == NULL || given->tenant_column == NULL)
		return given->columns;
	return psprintf("%s, %s",
					given->columns,
					sync_kit_quote(given->tenant_column));
}

/*
 * JSON that was stored, NULL where there is none.
 */
static JsonbValue *
parsed(const char *json)
{
	return json ? sync_kit_json_value(sync_kit_json_parse(json)) : NULL;
}

/*
 * Settle what is wanted of each record, once the columns have been prepared.
 */
static void
want_fields(SyncEndpointReader *reader)
{
	SyncFlowEndpoint *given = reader->stream->endpoint;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	SyncField *fields = sync_stage_columns_fields(reader->mapping);
	int nfields = sync_stage_columns_nfields(reader->mapping);
	SyncHeader *header = &reader->header;
	List *names = NIL;

	sync_flow_endpoint_check(reader);
	header->count = nfields;
	header->encoding = GetDatabaseEncoding();
	header->names = palloc(Max(nfields, 1) * sizeof(char *));
	header->places = palloc(Max(nfields, 1) * sizeof(int));
	header->forms = palloc(Max(nfields, 1) * sizeof(SyncFieldForm));
	reader->wanted = palloc(Max(nfields, 1) * sizeof(int));
	for (int i = 0; i < nfields; i++)
	{
		header->names[i] = fields[i].name;
		header->places[i] = i;
		header->forms[i] = fields[i].form;
		reader->wanted[i] = -1;
		if (given->tenant_column &&
			strcmp(fields[i].name, given->tenant_column) == 0)
			continue;
		reader->wanted[i] = list_length(names);
		names = lappend(names, unconstify(char *, fields[i].name));
	}
	sync_provider_want(reader->fetch, names);
	MemoryContextSwitchTo(caller);
}

/*
 * The next record, in the current memory context; "next" of SyncRecords.
 */
static bool
next_record(void *arg, SyncRecord *record)
{
	SyncEndpointReader *reader = arg;
	SyncHeader *header = &reader->header;

	if (header->names == NULL)
		want_fields(reader);
	if (!sync_provider_advance(reader->fetch))
		return false;
	name_place(reader, record);
	if (sync_stage_columns_want_record(reader->mapping))
	{
		record->text = make_text(reader);
		record->length = strlen(record->text);
		record->encoding = header->encoding;
		return true;
	}
	record->header = header;
	record->ncells = header->count;
	record->cells = palloc(Max(header->count, 1) * sizeof(char *));
	record->kept = true;
	for (int i = 0; i < header->count; i++)
		record->cells[i] =
			reader->wanted[i] < 0
				? reader->tenant
				: make_cell(sync_provider_value(reader->fetch,
												reader->wanted[i]),
							header->forms[i]);
	return true;
}

/*
 * The record at hand as JSON, with the tenant.
 */
static char *
make_text(SyncEndpointReader *reader)
{
	Jsonb *made = sync_provider_record(reader->fetch);
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
	int64 page = sync_provider_page(reader->fetch);

	if (reader->name == NULL || page != reader->page)
	{
		MemoryContext caller = MemoryContextSwitchTo(reader->context);

		reader->page = page;
		reader->name = psprintf("endpoint %s, page " INT64_FORMAT,
								reader->endpoint->name,
								page);
		MemoryContextSwitchTo(caller);
	}
	record->paged = true;
	record->file = reader->name;
	record->line = sync_provider_place(reader->fetch);
}

/*
 * How many bytes came; "bytes" of SyncRecords.
 */
static int64
bytes_fetched(void *arg)
{
	SyncFetch *fetch = ((SyncEndpointReader *) arg)->fetch;

	return fetch ? sync_provider_counts(fetch)->bytes : 0;
}

/*
 * Stop to fetch, at the end or before it; "end" of SyncRecords.
 */
static void
end_fetch(void *arg)
{
	SyncFetch *fetch = ((SyncEndpointReader *) arg)->fetch;

	if (fetch)
		sync_provider_stop(fetch);
}
