/*-------------------------------------------------------------------------
 *
 * queue_sql.c
 *	  The SQL face of the queue: triggers, arguments in, results out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "kit/kit_arguments.h"
#include "kit/kit_spi.h"
#include "queue/queue_row.h"

PG_FUNCTION_INFO_V1(sync_sql_cancel);
PG_FUNCTION_INFO_V1(sync_sql_drain);
PG_FUNCTION_INFO_V1(sync_sql_enqueue);
PG_FUNCTION_INFO_V1(sync_sql_enqueue_many);
PG_FUNCTION_INFO_V1(sync_sql_operation_types_check);
PG_FUNCTION_INFO_V1(sync_sql_pause);
PG_FUNCTION_INFO_V1(sync_sql_queue_guard);
PG_FUNCTION_INFO_V1(sync_sql_queue_left);
PG_FUNCTION_INFO_V1(sync_sql_queue_reload);
PG_FUNCTION_INFO_V1(sync_sql_resume);
PG_FUNCTION_INFO_V1(sync_sql_retry);
PG_FUNCTION_INFO_V1(sync_sql_status);
PG_FUNCTION_INFO_V1(sync_sql_trigger);

static void copy_argument(FunctionCallInfo fcinfo,
						  int argument,
						  ParamListInfo params,
						  int n,
						  Oid type);
static Datum text_to_id(char *text);

/*
 * sync_queue_guard() RETURNS trigger
 */
Datum
sync_sql_queue_guard(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("sync_queue_guard() can only be called by its trigger"));
	PG_RETURN_POINTER(sync_queue_guard((TriggerData *) fcinfo->context));
}

/*
 * sync_queue_left() RETURNS trigger
 */
Datum
sync_sql_queue_left(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("sync_queue_left() can only be called by its trigger"));
	sync_queue_leave((TriggerData *) fcinfo->context);
	PG_RETURN_POINTER(NULL);
}

/*
 * sync_operation_types_check() RETURNS trigger
 */
Datum
sync_sql_operation_types_check(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("sync_operation_types_check() can only be called by its trigger"));
	PG_RETURN_POINTER(sync_queue_check_type((TriggerData *) fcinfo->context));
}

/*
 * sync_queue_reload() RETURNS trigger
 */
Datum
sync_sql_queue_reload(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("sync_queue_reload() can only be called by its trigger"));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	sync_queue_sweep_at_commit();
	PG_RETURN_POINTER(NULL);
}

/*
 * sync_enqueue(operation_type text, payload jsonb, timing_partner_id bigint,
 *		event_id bigint, provider_name text, sync_direction text,
 *		priority integer, scheduled_time timestamptz, unique_key text,
 *		on_duplicate text, max_attempts integer, sync_job_id uuid,
 *		after bigint[], after_group text, on_failure text, task_group text)
 *		RETURNS bigint
 */
Datum
sync_sql_enqueue(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID,
		JSONBOID,
		INT8OID,
		INT8OID,
		TEXTOID,
		TEXTOID,
		INT4OID,
		TIMESTAMPTZOID,
		TEXTOID,
	};
	const char *on_duplicate = sync_kit_text_argument(fcinfo, 9);
	ParamListInfo params = makeParamList(SYNC_QUEUE_NENQUEUE);

	for (int i = 0; i < lengthof(types); i++)
		copy_argument(fcinfo, i, params, i, types[i]);
	copy_argument(fcinfo, 10, params, 9, INT4OID);
	copy_argument(fcinfo, 11, params, 10, UUIDOID);
	sync_kit_set_param(params, 11, OIDOID, ObjectIdGetDatum(GetUserId()));
	copy_argument(fcinfo, 12, params, 12, INT8ARRAYOID);
	for (int i = 13; i < SYNC_QUEUE_NENQUEUE; i++)
		copy_argument(fcinfo, i, params, i, TEXTOID);
	return text_to_id(sync_queue_enqueue(params,
										 on_duplicate ? on_duplicate : "keep"));
}

/*
 * sync_trigger(operation_type text, payload jsonb, timing_partner_id bigint,
 *		event_id bigint, provider_name text, sync_direction text)
 *		RETURNS bigint
 */
Datum
sync_sql_trigger(PG_FUNCTION_ARGS)
{
	static const Oid types[] =
		{TEXTOID, JSONBOID, INT8OID, INT8OID, TEXTOID, TEXTOID};
	ParamListInfo params = makeParamList(SYNC_QUEUE_NENQUEUE);

	for (int i = 0; i < lengthof(types); i++)
		copy_argument(fcinfo, i, params, i, types[i]);
	sync_kit_set_param(params, 6, INT4OID, Int32GetDatum(1));
	sync_kit_set_param(params,
					   7,
					   TIMESTAMPTZOID,
					   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	sync_kit_set_null(params, 8, TEXTOID);
	sync_kit_set_null(params, 9, INT4OID);
	sync_kit_set_null(params, 10, UUIDOID);
	sync_kit_set_param(params, 11, OIDOID, ObjectIdGetDatum(GetUserId()));
	sync_kit_set_null(params, 12, INT8ARRAYOID);
	for (int i = 13; i < SYNC_QUEUE_NENQUEUE; i++)
		sync_kit_set_null(params, i, TEXTOID);
	return text_to_id(sync_queue_enqueue(params, "keep"));
}

/*
 * sync_enqueue_many(tasks jsonb) RETURNS bigint
 */
Datum
sync_sql_enqueue_many(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(sync_queue_enqueue_many(PG_GETARG_DATUM(0)));
}

/*
 * sync_cancel(queue_id bigint) RETURNS boolean
 */
Datum
sync_sql_cancel(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sync_queue_cancel(PG_GETARG_INT64(0)));
}

/*
 * sync_retry(queue_id bigint) RETURNS bigint
 */
Datum
sync_sql_retry(PG_FUNCTION_ARGS)
{
	return text_to_id(sync_queue_retry(PG_GETARG_INT64(0)));
}

/*
 * sync_pause(provider_name text, operation_type text) RETURNS boolean
 */
Datum
sync_sql_pause(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sync_queue_pause(sync_kit_text_argument(fcinfo, 0),
									sync_kit_text_argument(fcinfo, 1)));
}

/*
 * sync_resume(provider_name text, operation_type text) RETURNS boolean
 */
Datum
sync_sql_resume(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sync_queue_resume(sync_kit_text_argument(fcinfo, 0),
									 sync_kit_text_argument(fcinfo, 1)));
}

/*
 * sync_drain(max_wait interval) RETURNS boolean
 */
Datum
sync_sql_drain(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end =
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												TimestampTzGetDatum(now),
												PG_GETARG_DATUM(0)));

	PG_RETURN_BOOL(sync_queue_drain(Max(0, (end - now) / 1000)));
}

/*
 * sync_status(timing_partner_id bigint, recent integer) RETURNS jsonb
 */
Datum
sync_sql_status(PG_FUNCTION_ARGS)
{
	ParamListInfo params = makeParamList(2);

	copy_argument(fcinfo, 0, params, 0, INT8OID);
	copy_argument(fcinfo, 1, params, 1, INT4OID);
	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(sync_queue_status_of(params)));
}

/*
 * Let a parameter be an argument.
 */
static void
copy_argument(FunctionCallInfo fcinfo,
			  int argument,
			  ParamListInfo params,
			  int n,
			  Oid type)
{
	if (PG_ARGISNULL(argument))
		sync_kit_set_null(params, n, type);
	else
		sync_kit_set_param(params, n, type, PG_GETARG_DATUM(argument));
}

/*
 * The identity of a task, from its text.
 */
static Datum
text_to_id(char *text)
{
	return Int64GetDatum(strtoi64(text, NULL, 10));
}
