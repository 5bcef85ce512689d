/*-------------------------------------------------------------------------
 *
 * request_sql.c
 *	  The SQL face of requests: arguments in, results out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "kit/kit_arguments.h"
#include "kit/kit_spi.h"
#include "request/request.h"

PG_FUNCTION_INFO_V1(sync_sql_request);
PG_FUNCTION_INFO_V1(sync_sql_task_request);

static int64 timeout_argument(FunctionCallInfo fcinfo, int i);
static void set(ParamListInfo params, int n, Oid type, Datum value, bool isnull);

/*
 * sync_request(url text, method text, headers jsonb, body text,
 *		timeout interval, retry boolean, priority integer,
 *		scheduled_time timestamptz, unique_key text,
 *		timing_partner_id bigint, provider_name text) RETURNS bigint
 */
Datum
sync_sql_request(PG_FUNCTION_ARGS)
{
	const char *method = sync_kit_text_argument(fcinfo, 1);
	SyncWebRequest request = {
		.url = sync_kit_text_argument(fcinfo, 0),
		.method = method ? method : "GET",
		.headers = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2),
		.body = sync_kit_text_argument(fcinfo, 3),
		.timeout_ms = timeout_argument(fcinfo, 4),
		.retry = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5),
	};
	ParamListInfo params = makeParamList(SYNC_QUEUE_NENQUEUE);

	if (request.url == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("url must not be null"));
	set(params, 0, TEXTOID, CStringGetTextDatum("request"), false);
	set(params, 2, INT8OID, PG_GETARG_DATUM(9), PG_ARGISNULL(9));
	set(params, 3, INT8OID, (Datum) 0, true);
	set(params, 4, TEXTOID, PG_GETARG_DATUM(10), PG_ARGISNULL(10));
	set(params, 5, TEXTOID, CStringGetTextDatum("pull"), false);
	set(params, 6, INT4OID, PG_GETARG_DATUM(6), PG_ARGISNULL(6));
	set(params, 7, TIMESTAMPTZOID, PG_GETARG_DATUM(7), PG_ARGISNULL(7));
	set(params, 8, TEXTOID, PG_GETARG_DATUM(8), PG_ARGISNULL(8));
	set(params, 9, INT4OID, (Datum) 0, true);
	set(params, 10, UUIDOID, (Datum) 0, true);
	set(params, 11, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	set(params, 12, INT8ARRAYOID, (Datum) 0, true);
	for (int i = 13; i < params->numParams; i++)
		set(params, i, TEXTOID, (Datum) 0, true);
	PG_RETURN_INT64(sync_request_make(&request, params));
}

/*
 * sync_task_request(queue_id bigint, payload jsonb) RETURNS jsonb
 */
Datum
sync_sql_task_request(PG_FUNCTION_ARGS)
{
	return sync_request_perform(fcinfo);
}

/*
 * An interval that is an argument, in milliseconds; 0 where it is NULL.
 */
static int64
timeout_argument(FunctionCallInfo fcinfo, int i)
{
	TimestampTz now = GetCurrentTimestamp();
	int64 ms;

	if (PG_ARGISNULL(i))
		return 0;
	ms = (DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												  TimestampTzGetDatum(now),
												  PG_GETARG_DATUM(i))) -
		  now) /
		 1000;
	if (ms <= 0 || ms > PG_INT32_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("timeout must be between 1 millisecond and 24 days: %s",
					   DatumGetCString(DirectFunctionCall1(interval_out,
														   PG_GETARG_DATUM(i)))));
	return ms;
}

/*
 * Set a parameter.
 */
static void
set(ParamListInfo params, int n, Oid type, Datum value, bool isnull)
{
	if (isnull)
		sync_kit_set_null(params, n, type);
	else
		sync_kit_set_param(params, n, type, value);
}
