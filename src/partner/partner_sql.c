/*-------------------------------------------------------------------------
 *
 * partner_sql.c
 *	  The SQL face of race-timing partners.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "kit/kit_arguments.h"
#include "kit/kit_ident.h"
#include "kit/kit_json.h"
#include "kit/kit_result.h"
#include "kit/kit_spi.h"
#include "partner/partner.h"
#include "provider/provider.h"

PG_FUNCTION_INFO_V1(sync_sql_approve_results);
PG_FUNCTION_INFO_V1(sync_sql_create_provider_tables);
PG_FUNCTION_INFO_V1(sync_sql_link_events);
PG_FUNCTION_INFO_V1(sync_sql_schedule_partner);
PG_FUNCTION_INFO_V1(sync_sql_task_feed);
PG_FUNCTION_INFO_V1(sync_sql_unlink_events);
PG_FUNCTION_INFO_V1(sync_sql_unschedule_partner);

static char *first_schema(void);
static void put_names(FunctionCallInfo fcinfo, List *names);
static void link_arguments(FunctionCallInfo fcinfo, const char **values);

/*
 * sync_create_provider_tables(provider text, schema text) RETURNS SETOF text
 */
Datum
sync_sql_create_provider_tables(PG_FUNCTION_ARGS)
{
	const char *provider = sync_kit_text_argument(fcinfo, 0);
	const char *schema = sync_kit_text_argument(fcinfo, 1);

	if (provider == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("provider must not be null"));
	if (schema == NULL)
		schema = first_schema();
	put_names(fcinfo, sync_partner_create_tables(provider, schema));
	(void) sync_partner_create_views(schema);
	sync_partner_create_pushes(provider, schema);
	return (Datum) 0;
}

/*
 * sync_approve_results(timing_partner_id bigint, provider text, event_id text)
 *		RETURNS bigint
 */
Datum
sync_sql_approve_results(PG_FUNCTION_ARGS)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, PG_GETARG_INT64(0)),
		sync_kit_text_argument(fcinfo, 1),
	};
	int64 queue_id;

	sync_partner_approve(values[0],
						 values[1],
						 sync_kit_text_argument(fcinfo, 2),
						 GetUserNameFromId(GetUserId(), false));
	sync_kit_spi_run(sync_kit_bind_schema("SELECT @extschema@.sync_trigger('publish_results',"
										  " timing_partner_id => $1::bigint, provider_name => $2,"
										  " sync_direction => 'push')"),
					 sync_kit_text_params(lengthof(values), values),
					 false,
					 sync_kit_take_number,
					 &queue_id);
	PG_RETURN_INT64(queue_id);
}

/*
 * sync_link_events(timing_partner_id bigint, provider text, event_id text,
 *		scoring_provider text, scoring_event_id text, params jsonb,
 *		scoring_params jsonb) RETURNS void
 */
Datum
sync_sql_link_events(PG_FUNCTION_ARGS)
{
	const char *values[7];

	link_arguments(fcinfo, values);
	for (int i = 5; i < lengthof(values); i++)
	{
		Jsonb *params = PG_GETARG_JSONB_P(i);

		if (!JB_ROOT_IS_OBJECT(params))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s must be a JSON object",
						   i == 5 ? "params" : "scoring_params"));
		values[i] = JsonbToCString(NULL, &params->root, VARSIZE(params));
	}
	(void) sync_provider_load(values[1]);
	(void) sync_provider_load(values[3]);
	sync_partner_link(values);
	PG_RETURN_VOID();
}

/*
 * sync_unlink_events(timing_partner_id bigint, provider text, event_id text,
 *		scoring_provider text, scoring_event_id text) RETURNS boolean
 */
Datum
sync_sql_unlink_events(PG_FUNCTION_ARGS)
{
	const char *values[5];

	link_arguments(fcinfo, values);
	PG_RETURN_BOOL(sync_partner_unlink(values));
}

/*
 * sync_task_feed() RETURNS jsonb
 */
Datum
sync_sql_task_feed(PG_FUNCTION_ARGS)
{
	char *details =
		psprintf("{\"tasks\": " INT64_FORMAT "}", sync_partner_enqueue_due());

	PG_RETURN_JSONB_P(sync_kit_json_parse(details));
}

/*
 * sync_schedule_partner(timing_partner_id bigint) RETURNS SETOF text
 */
Datum
sync_sql_schedule_partner(PG_FUNCTION_ARGS)
{
	put_names(fcinfo, sync_partner_schedule(PG_GETARG_INT64(0)));
	return (Datum) 0;
}

/*
 * sync_unschedule_partner(timing_partner_id bigint) RETURNS integer
 */
Datum
sync_sql_unschedule_partner(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(sync_partner_unschedule(PG_GETARG_INT64(0)));
}

/*
 * The schema that new objects go into.
 */
static char *
first_schema(void)
{
	List *path = fetch_search_path(false);

	if (path == NIL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_SCHEMA),
				errmsg("no schema has been selected to create in"),
				errhint("Name one."));
	return get_namespace_name(linitial_oid(path));
}

/*
 * Return names, a row each.
 */
static void
put_names(FunctionCallInfo fcinfo, List *names)
{
	SyncResult *result = sync_kit_result_start(fcinfo, true);
	ListCell *cell;

	foreach(cell, names)
	{
		char *name = lfirst(cell);

		sync_kit_result_put(result, 1, &name);
	}
}

/*
 * The arguments that name a link, as the first five columns of sync_links.
 */
static void
link_arguments(FunctionCallInfo fcinfo, const char **values)
{
	values[0] = psprintf(INT64_FORMAT, PG_GETARG_INT64(0));
	for (int i = 1; i < 5; i++)
		values[i] = sync_kit_text_argument(fcinfo, i);
}
