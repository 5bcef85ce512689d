/*-------------------------------------------------------------------------
 *
 * flow_fresh_sql.c
 *	  The SQL face of how old streams may get: arguments in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "flow/flow_fresh.h"
#include "kit/kit_arguments.h"

PG_FUNCTION_INFO_V1(sync_sql_set_freshness);

/*
 * sync_set_freshness(stream text, max_age interval) RETURNS void
 */
Datum
sync_sql_set_freshness(PG_FUNCTION_ARGS)
{
	const char *stream = sync_kit_text_argument(fcinfo, 0);
	Interval zero = {0};

	if (stream == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("stream must not be NULL"));
	if (!PG_ARGISNULL(1) &&
		DatumGetInt32(DirectFunctionCall2(interval_cmp,
										  PG_GETARG_DATUM(1),
										  IntervalPGetDatum(&zero))) <= 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_age must be greater than zero"));
	sync_flow_set_freshness(
		stream,
		PG_ARGISNULL(1)
			? NULL
			: DatumGetCString(DirectFunctionCall1(interval_out,
												  PG_GETARG_DATUM(1))));
	PG_RETURN_VOID();
}
