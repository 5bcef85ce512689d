/*-------------------------------------------------------------------------
 *
 * flow_endpoint.c
 *	  Endpoints of providers as sources of streams.
 *
 * The tenant that a run is for is a column like any other, and the rows that
 * other tenants have are none of its business.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_watermark.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"

static SyncEndpoint *load_endpoint(SyncFlowEndpoint *given);
static List *column_names(SyncFlow *flow, SyncEndpoint *endpoint);
static JsonbValue *parsed(const char *json);

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
	if (params && JB_ROOT_COUNT(params) > 0)
		stream->endpoint->asked = JsonbToCString(NULL, &params->root, 0);
	if (stream->endpoint->asked &&
		(stream->mode == SYNC_MODE_MIRROR ||
		 stream->mode == SYNC_MODE_SOFT_DELETE) &&
		!sync_flow_scope_is_told(stream))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s cannot be run with params of its own",
					   stream->label),
				errdetail("Its mode is %s, and what other params give would be gone: none of them is in its key.",
						  sync_flow_mode_name(stream->mode)),
				errhint("Let the stream say them, or choose mode upsert."));
	stream->endpoint->tenant = tenant;
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
 * sync_flow_fetch_begin.
 */
SyncSource *
sync_flow_open_endpoint(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	SyncEndpointReader *reader = palloc0(sizeof(SyncEndpointReader));

	reader->stream = stream;
	reader->context = CurrentMemoryContext;
	reader->given.endpoint = load_endpoint(stream->endpoint);
	reader->mapping =
		sync_stage_columns_create(sync_flow_endpoint_columns(stream),
								  column_names(flow, reader->given.endpoint),
								  stream->label);
	flow->fetched = reader;

	return sync_stage_open_records(sync_flow_fetch_records(reader),
								   reader->mapping);
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

		if (!sync_provider_gives(reader->given.endpoint, name) &&
			!(tenant_column && strcmp(name, tenant_column) == 0))
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("endpoint \"%s\" of %s gives no column \"%s\"",
						   reader->given.endpoint->name,
						   reader->stream->label,
						   name),
					errhint("Column columns of sync_endpoints has the names."));
	}
}

/*
 * What an endpoint is asked for in a run of a stream, of what the endpoint takes:
 * an object, or NULL.
 */
JsonbValue *
sync_flow_endpoint_params(SyncStream *stream, SyncEndpoint *endpoint)
{
	SyncFlowEndpoint *given = stream->endpoint;
	Datum params =
		JsonbPGetDatum(sync_kit_json_parse(given->params ? given->params
														 : "{}"));
	JsonbParseState *state = NULL;
	ListCell *cell;

	if (given->asked)
		params =
			DirectFunctionCall2(jsonb_concat,
								params,
								JsonbPGetDatum(sync_kit_json_parse(given->asked)));
	if (strcmp(endpoint->name, given->name) == 0)
		return sync_kit_json_value(DatumGetJsonbP(params));
	sync_kit_json_begin(&state);
	foreach(cell,
			sync_kit_json_members(sync_kit_json_value(DatumGetJsonbP(params))))
	{
		SyncJsonMember *member = lfirst(cell);

		if (sync_kit_json_member(endpoint->params, member->name) == NULL)
			continue;
		sync_kit_json_put(&state, member->name, member->value);
	}
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * A digest of what depends on what was read before of an endpoint.
 */
const char *
sync_flow_endpoint_digest(SyncFlow *flow, SyncEndpoint *endpoint)
{
	SyncFlowEndpoint *given = flow->stream->endpoint;

	return sync_flow_digest(flow,
							psprintf("%s\n%s\n%s\n%s\n",
									 sync_provider_digest(endpoint),
									 given->params ? given->params : "",
									 given->columns ? given->columns : "",
									 given->tenant_column ? given->tenant_column
														  : ""));
}

/*
 * The endpoint that a stream names.  What was fetched before has it, and is
 * refused where it has changed since.
 */
static SyncEndpoint *
load_endpoint(SyncFlowEndpoint *given)
{
	SyncEndpoint *known =
		given->fetched ? given->fetched->given.endpoint : NULL;

	return known && strcmp(known->name, given->name) == 0
			   ? known
			   : sync_provider_load_endpoint(given->name);
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
