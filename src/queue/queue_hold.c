/*-------------------------------------------------------------------------
 *
 * queue_hold.c
 *	  Running tasks of which one process holds many: leasing them, and letting
 *	  them go.
 *
 * As those of kind transaction are, they are taken out without a trigger being
 * fired, at the place where they were left; whoever took one back meanwhile has
 * moved it, and it is looked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "kit/kit_update.h"
#include "queue/queue_driver.h"
#include "queue/queue_row.h"
#include "shmem/shmem_workers.h"

static HeapTuple leased_row(Relation queue,
							const SyncTask *task,
							TimestampTz until);
static bool is_at(Relation queue, const SyncTask *task);
static ParamListInfo held_params(List *tasks, int nparams);

/*
 * Mark tasks that were claimed as running in the hands of this process.  Those
 * of which that is true are returned, "held" says where their rows are; the rows
 * that the tasks keep are those of before.
 */
List *
sync_queue_hold(Relation queue, List *tasks)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													sync_guc_lease_timeout_ms);
	SyncUpdate *update = sync_kit_update_begin(queue);
	List *held = NIL;
	ListCell *cell;

	foreach(cell, tasks)
	{
		SyncTask *task = lfirst(cell);
		TM_FailureData failure;
		TM_Result result;

		task->held = task->tid;
		result = sync_kit_update_row(update,
									 &task->held,
									 leased_row(queue, task, until),
									 &failure);
		if (result == TM_Ok)
		{
			task->lease_until = until;
			held = lappend(held, task);
		}
		else if (result == TM_BeingModified &&
				 !sync_shmem_workers_holds(failure.xmax))
			sync_queue_look_again();
	}
	sync_kit_update_end(update);
	return held;
}

/*
 * Take a task that this process holds out of the queue.  Returns false where it
 * is in other hands.
 */
bool
sync_queue_take_held(Relation queue, SyncTask *task)
{
	TM_FailureData failure;

	if (is_at(queue, task) &&
		table_tuple_delete(queue,
						   &task->held,
						   GetCurrentCommandId(true),
						   GetActiveSnapshot(),
						   InvalidSnapshot,
						   false,
						   &failure,
						   false) == TM_Ok)
		return true;
	return sync_queue_finish(task, MyProcPid);
}

/*
 * Give this process another lease on tasks that it holds.
 */
void
sync_queue_renew_held(List *tasks)
{
	ParamListInfo params = held_params(tasks, 3);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													sync_guc_lease_timeout_ms);
	ListCell *cell;

	sync_kit_set_param(params, 2, TIMESTAMPTZOID, TimestampTzGetDatum(until));
	(void) sync_queue_run("UPDATE @extschema@.sync_queue SET lease_until = $3"
						  " WHERE queue_id = ANY ($1) AND status = 'running'"
						  " AND worker_pid = $2",
						  params,
						  NULL,
						  NULL);
	foreach(cell, tasks)
		((SyncTask *) lfirst(cell))->lease_until = until;
}

/*
 * Let tasks that this process holds be begun anew, as if they had not been.
 * Those that somebody else has locked stay as they are.
 */
void
sync_queue_give_back(List *tasks)
{
	ParamListInfo params = held_params(tasks, 2);

	(void)
		sync_queue_run("UPDATE @extschema@.sync_queue SET status = 'pending',"
					   " attempt = attempt - 1, lease_until = NULL, worker_pid = NULL"
					   " WHERE queue_id IN (SELECT q.queue_id"
					   " FROM @extschema@.sync_queue AS q WHERE q.queue_id = ANY ($1)"
					   " AND q.status = 'running' AND q.worker_pid = $2"
					   " FOR UPDATE SKIP LOCKED)",
					   params,
					   NULL,
					   NULL);
}

/*
 * The row of a task that is being leased.
 */
static HeapTuple
leased_row(Relation queue, const SyncTask *task, TimestampTz until)
{
	static const SyncQueueColumn columns[] = {
		SYNC_QUEUE_STATUS,
		SYNC_QUEUE_ATTEMPT,
		SYNC_QUEUE_WORKER_PID,
		SYNC_QUEUE_LEASE_UNTIL,
	};
	Datum values[lengthof(columns)] = {
		CStringGetTextDatum("running"),
		Int32GetDatum(task->attempt),
		Int32GetDatum(MyProcPid),
		TimestampTzGetDatum(until),
	};

	return sync_queue_changed_row(queue,
								  task,
								  columns,
								  values,
								  lengthof(columns));
}

/*
 * Is a task still where it was left, in the hands of this process?  The place may
 * have been given to another row.
 */
static bool
is_at(Relation queue, const SyncTask *task)
{
	ItemPointerData tid = task->held;
	TupleTableSlot *slot = table_slot_create(queue, NULL);
	SyncQueueColumns columns;
	bool isnull;
	bool found;

	sync_queue_find_columns(RelationGetDescr(queue), &columns);
	found =
		table_tuple_fetch_row_version(queue, &tid, GetActiveSnapshot(), slot) &&
		DatumGetInt64(slot_getattr(slot,
								   columns.number[SYNC_QUEUE_QUEUE_ID],
								   &isnull)) == task->queue_id &&
		DatumGetInt32(slot_getattr(slot,
								   columns.number[SYNC_QUEUE_ATTEMPT],
								   &isnull)) == task->attempt &&
		DatumGetInt32(slot_getattr(slot,
								   columns.number[SYNC_QUEUE_WORKER_PID],
								   &isnull)) == MyProcPid &&
		!isnull;
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

/*
 * The parameters of which the first are tasks and the process that holds them.
 */
static ParamListInfo
held_params(List *tasks, int nparams)
{
	ParamListInfo params = makeParamList(nparams);
	Datum *ids = palloc(list_length(tasks) * sizeof(Datum));
	ListCell *cell;

	foreach(cell, tasks)
		ids[foreach_current_index(cell)] =
			Int64GetDatum(((SyncTask *) lfirst(cell))->queue_id);
	sync_kit_set_param(params,
					   0,
					   INT8ARRAYOID,
					   PointerGetDatum(construct_array(ids,
													   list_length(tasks),
													   INT8OID,
													   sizeof(int64),
													   FLOAT8PASSBYVAL,
													   TYPALIGN_DOUBLE)));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(MyProcPid));
	return params;
}
