/*-------------------------------------------------------------------------
 *
 * check_sql.c
 *	  The SQL face of looking at columns: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "check/check.h"
#include "kit/kit_arguments.h"
#include "kit/kit_result.h"

PG_FUNCTION_INFO_V1(sync_sql_coverage);
PG_FUNCTION_INFO_V1(sync_sql_find_duplicates);

/*
 * sync_coverage(relation regclass, column_name text) RETURNS SETOF record
 */
Datum
sync_sql_coverage(PG_FUNCTION_ARGS)
{
	sync_check_coverage(PG_GETARG_OID(0),
						sync_kit_text_argument(fcinfo, 1),
						sync_kit_result_put,
						sync_kit_result_start(fcinfo, false));
	return (Datum) 0;
}

/*
 * sync_find_duplicates(relation regclass, columns text[], max_rows integer)
 *		RETURNS SETOF record
 */
Datum
sync_sql_find_duplicates(PG_FUNCTION_ARGS)
{
	int max_rows = PG_GETARG_INT32(2);

	if (max_rows < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_rows must not be negative: %d", max_rows));
	sync_check_duplicates(PG_GETARG_OID(0),
						  sync_kit_texts_argument(fcinfo, 1, "columns"),
						  max_rows,
						  sync_kit_result_put,
						  sync_kit_result_start(fcinfo, false));
	return (Datum) 0;
}
