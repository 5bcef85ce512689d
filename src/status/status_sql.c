/*-------------------------------------------------------------------------
 *
 * status_sql.c
 *	  The SQL face of the report.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "status/status.h"

PG_FUNCTION_INFO_V1(sync_sql_report_html);

/*
 * sync_report_html(since interval) RETURNS text
 */
Datum
sync_sql_report_html(PG_FUNCTION_ARGS)
{
	Datum since = PG_GETARG_DATUM(0);
	Interval least = {.time = USECS_PER_SEC};
	Interval most = {.month = 100 * MONTHS_PER_YEAR};
	char *text = DatumGetCString(DirectFunctionCall1(interval_out, since));

	if (DatumGetBool(DirectFunctionCall2(interval_lt,
										 since,
										 IntervalPGetDatum(&least))) ||
		DatumGetBool(DirectFunctionCall2(interval_gt,
										 since,
										 IntervalPGetDatum(&most))))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("cannot report on \"%s\"", text),
				errdetail("A report is on the last second at least, and on the last 100 years at most."));
	PG_RETURN_TEXT_P(cstring_to_text(sync_status_report(text)));
}
