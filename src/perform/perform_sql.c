/*-------------------------------------------------------------------------
 *
 * perform_sql.c
 *	  The SQL face of performing tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"

#include "perform/perform.h"

PG_FUNCTION_INFO_V1(sync_sql_process_queue);

/*
 * sync_process_queue(max_tasks integer)
 */
Datum
sync_sql_process_queue(PG_FUNCTION_ARGS)
{
	bool atomic =
		fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;

	if (atomic)
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("sync_process_queue() cannot run inside a transaction block or a function"),
				errdetail("It commits what it has done."));
	if (PG_ARGISNULL(0) || PG_GETARG_INT32(0) < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_tasks must be a number that is not negative"));
	sync_perform_process(PG_GETARG_INT32(0));
	PG_RETURN_VOID();
}
