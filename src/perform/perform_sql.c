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
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "jobs/jobs.h"
#include "perform/perform.h"

PG_FUNCTION_INFO_V1(sync_sql_cleanup_stuck_jobs);
PG_FUNCTION_INFO_V1(sync_sql_process_queue);
PG_FUNCTION_INFO_V1(sync_sql_queue_job);

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

/*
 * sync_cleanup_stuck_jobs(older_than interval) RETURNS bigint
 */
Datum
sync_sql_cleanup_stuck_jobs(PG_FUNCTION_ARGS)
{
	uint64 failed = sync_jobs_cleanup(PG_GETARG_INTERVAL_P(0),
									  SYNC_QUEUE_LACKS_JOB("j.id"));

	PG_RETURN_INT64((int64) failed);
}

/*
 * sync_queue_job() RETURNS trigger
 */
Datum
sync_sql_queue_job(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		strcmp(RelationGetRelationName(trigger->tg_relation), "sync_queue") !=
			0)
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function %s() can be called only as a row trigger of sync_queue",
					   "sync_queue_job"));
	return PointerGetDatum(sync_perform_check_job(trigger));
}
