/*-------------------------------------------------------------------------
 *
 * backfill_sql.c
 *	  The SQL face of backfills.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "utils/timestamp.h"

#include "backfill/backfill.h"
#include "kit/kit_arguments.h"
#include "kit/kit_spi.h"

PG_FUNCTION_INFO_V1(sync_sql_backfill);

static void refuse_in_block(FunctionCallInfo fcinfo);
static void refuse_null(FunctionCallInfo fcinfo, int i, const char *name);
static int64 pause_argument(FunctionCallInfo fcinfo, int i);

/*
 * sync_backfill(relation regclass, column_name text, expression text,
 *		condition text, batch_size integer, overwrite boolean,
 *		pause interval)
 */
Datum
sync_sql_backfill(PG_FUNCTION_ARGS)
{
	SyncBackfill backfill = {0};

	refuse_in_block(fcinfo);
	refuse_null(fcinfo, 0, "relation");
	refuse_null(fcinfo, 1, "column_name");
	refuse_null(fcinfo, 2, "expression");
	backfill.relation = PG_GETARG_OID(0);
	backfill.column = sync_kit_text_argument(fcinfo, 1);
	backfill.expression = sync_kit_text_argument(fcinfo, 2);
	backfill.condition = sync_kit_text_argument(fcinfo, 3);
	backfill.batch_size = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4);
	if (backfill.batch_size < 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("batch_size must be at least 1: %d",
					   backfill.batch_size));
	backfill.overwrite = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	backfill.pause_ms = pause_argument(fcinfo, 6);

	sync_kit_spi_begin_commits();
	sync_backfill_run(&backfill);
	sync_kit_spi_end_commits();
	PG_RETURN_VOID();
}

/*
 * Raise where a commit is not the procedure's to make.
 */
static void
refuse_in_block(FunctionCallInfo fcinfo)
{
	CallContext *call = (CallContext *) fcinfo->context;

	if (call == NULL || !IsA(call, CallContext) || call->atomic)
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("sync_backfill cannot run inside a transaction block"),
				errdetail("It commits each batch."),
				errhint("CALL it by itself, outside of BEGIN and of functions."));
}

/*
 * Raise where an argument is NULL.
 */
static void
refuse_null(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not be NULL", name));
}

/*
 * An argument of type interval in milliseconds, 0 where it is NULL.
 */
static int64
pause_argument(FunctionCallInfo fcinfo, int i)
{
	Interval *pause;

	if (PG_ARGISNULL(i))
		return 0;
	pause = PG_GETARG_INTERVAL_P(i);
	if (pause->month != 0 || pause->day != 0 || pause->time < 0 ||
		pause->time > USECS_PER_HOUR)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("pause must be between 0 and an hour"));
	return pause->time / 1000;
}
