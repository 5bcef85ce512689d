/*-------------------------------------------------------------------------
 *
 * history_sql.c
 *	  The SQL face of history: arguments in, counts out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_settings.h"

PG_FUNCTION_INFO_V1(sync_sql_history_slot);
PG_FUNCTION_INFO_V1(sync_sql_purge_history);

/*
 * sync_history_slot() RETURNS smallint
 *
 * It is the same for all rows of a statement, as the default of a column.
 */
Datum
sync_sql_history_slot(PG_FUNCTION_ARGS)
{
	FmgrInfo *call = fcinfo->flinfo;

	if (call->fn_extra == NULL)
	{
		int *slot = MemoryContextAlloc(call->fn_mcxt, sizeof(int));

		*slot = sync_history_slot_read(get_func_namespace(call->fn_oid));
		call->fn_extra = slot;
	}
	PG_RETURN_INT16(*(int *) call->fn_extra);
}

/*
 * sync_purge_history(keep interval, exact boolean) RETURNS bigint
 */
Datum
sync_sql_purge_history(PG_FUNCTION_ARGS)
{
	Interval retention = {
		.time = (int64) sync_guc_history_retention_min * USECS_PER_MINUTE,
	};
	Interval *keep = PG_ARGISNULL(0) ? &retention : PG_GETARG_INTERVAL_P(0);
	bool exact = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);

	if (PG_ARGISNULL(0) && sync_guc_history_retention_min < 0)
		PG_RETURN_INT64(0);
	PG_RETURN_INT64(sync_history_purge(keep, exact));
}
