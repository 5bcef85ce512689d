/*-------------------------------------------------------------------------
 *
 * queue_settle.c
 *	  What becomes of the row of a task that was at work: it goes, or goes back
 *	  to pending.
 *
 * One of kind transaction was taken out when it was begun, and is put back
 * where it is to be tried again.  One of kind external is in the table, marked
 * as running, and belongs to whoever holds its lease: each step names worker
 * and attempt, and does nothing where the task was taken back meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "queue/queue_row.h"

static HeapTuple delayed_row(Relation queue,
							 const SyncTask *task,
							 TimestampTz when,
							 const char *error);
static void insert_row(Relation queue, HeapTuple row);
static TimestampTz lease_end(void);

/*
 * Put a task back that was taken out in this transaction, to be tried again at
 * "when", after others of its priority.
 */
void
sync_queue_put_back(Relation queue,
					const SyncTask *task,
					TimestampTz when,
					const char *error)
{
	insert_row(queue, delayed_row(queue, task, when, error));
}

/*
 * Put a task back that was taken out in this transaction, as it was.
 */
void
sync_queue_put_back_untried(Relation queue, const SyncTask *task)
{
	insert_row(queue, task->tuple);
	sync_queue_unspend(task);
}

/*
 * Put a row into the queue, as a restore would, which is believed what was
 * attempted.
 */
static void
insert_row(Relation queue, HeapTuple row)
{
	ParamListInfo params = makeParamList(1);

	sync_kit_set_param(params,
					   0,
					   queue->rd_rel->reltype,
					   heap_copy_tuple_as_datum(row, RelationGetDescr(queue)));
	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_queue SELECT ($1).*",
							 params,
							 false,
							 NULL,
							 NULL);
}

/*
 * Mark a task as running, in the hands of this process, for as long as
 * sync_ext.lease_timeout.  Returns false where it is not pending any more, or
 * held by another transaction.
 */
bool
sync_queue_lease(const SyncTask *task)
{
	ParamListInfo params = makeParamList(4);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(task->attempt));
	sync_kit_set_param(params, 2, INT4OID, Int32GetDatum(MyProcPid));
	sync_kit_set_param(params,
					   3,
					   TIMESTAMPTZOID,
					   TimestampTzGetDatum(lease_end()));
	return sync_queue_run("UPDATE @extschema@.sync_queue SET status = 'running',"
						  " attempt = $2, worker_pid = $3, lease_until = $4"
						  " WHERE queue_id = (SELECT q.queue_id FROM @extschema@.sync_queue q"
						  " WHERE q.queue_id = $1 AND q.status = 'pending' AND q.attempt = $2 - 1"
						  " FOR UPDATE SKIP LOCKED)",
						  params,
						  NULL,
						  NULL) == 1;
}

/*
 * When a lease ends that is given now.
 */
static TimestampTz
lease_end(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									   sync_guc_lease_timeout_ms);
}

/*
 * Take a running task that worker "pid" has out of the queue.  Returns false
 * where it is in other hands.
 */
bool
sync_queue_finish(const SyncTask *task, int pid)
{
	ParamListInfo params = makeParamList(3);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(task->attempt));
	sync_kit_set_param(params, 2, INT4OID, Int32GetDatum(pid));
	return sync_queue_run("DELETE FROM @extschema@.sync_queue WHERE queue_id = $1"
						  " AND status = 'running' AND attempt = $2 AND worker_pid = $3",
						  params,
						  NULL,
						  NULL) == 1;
}

/*
 * Have a running task that worker "pid" has tried again at "when".  Returns
 * false where it is in other hands.
 */
bool
sync_queue_postpone(const SyncTask *task,
					int pid,
					TimestampTz when,
					const char *error)
{
	ParamListInfo params = makeParamList(5);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(task->attempt));
	sync_kit_set_param(params, 2, INT4OID, Int32GetDatum(pid));
	sync_kit_set_param(params, 3, TIMESTAMPTZOID, TimestampTzGetDatum(when));
	sync_kit_set_param(params, 4, TEXTOID, CStringGetTextDatum(error));
	return sync_queue_run("UPDATE @extschema@.sync_queue SET status = 'pending',"
						  " priority = least(priority + 1, 100), scheduled_time = $4,"
						  " last_error = $5, lease_until = NULL, worker_pid = NULL"
						  " WHERE queue_id = $1 AND status = 'running'"
						  " AND attempt = $2 AND worker_pid = $3",
						  params,
						  NULL,
						  NULL) == 1;
}

/*
 * Give the worker "pid" another lease on its task.
 */
void
sync_queue_renew(const SyncTask *task, int pid)
{
	ParamListInfo params = makeParamList(4);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(task->attempt));
	sync_kit_set_param(params, 2, INT4OID, Int32GetDatum(pid));
	sync_kit_set_param(params,
					   3,
					   TIMESTAMPTZOID,
					   TimestampTzGetDatum(lease_end()));
	(void) sync_queue_run("UPDATE @extschema@.sync_queue SET lease_until = $4"
						  " WHERE queue_id = $1 AND status = 'running'"
						  " AND attempt = $2 AND worker_pid = $3",
						  params,
						  NULL,
						  NULL);
}

/*
 * The row of a task that is to be tried again.
 */
static HeapTuple
delayed_row(Relation queue,
			const SyncTask *task,
			TimestampTz when,
			const char *error)
{
	static const SyncQueueColumn columns[] = {
		SYNC_QUEUE_PRIORITY,
		SYNC_QUEUE_SCHEDULED_TIME,
		SYNC_QUEUE_ATTEMPT,
		SYNC_QUEUE_LAST_ERROR,
	};
	Datum values[lengthof(columns)] = {
		Int32GetDatum(Min(task->priority + 1, SYNC_QUEUE_PRIORITY_MAX)),
		TimestampTzGetDatum(when),
		Int32GetDatum(task->attempt),
		CStringGetTextDatum(error),
	};

	return sync_queue_changed_row(queue,
								  task,
								  columns,
								  values,
								  lengthof(columns));
}
