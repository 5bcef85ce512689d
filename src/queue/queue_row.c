/*-------------------------------------------------------------------------
 *
 * queue_row.c
 *	  Rows of sync_queue as tasks, and taking them out.
 *
 * A task is begun by deleting its row, without waiting, in the transaction
 * that performs it: one write that is lock and completion in one.  Whoever
 * comes second finds the row gone or locked, and leaves it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "kit/kit_ident.h"
#include "queue/queue_row.h"
#include "shmem/shmem_workers.h"

/* how soon a row that somebody else holds is looked for again */
#define HELD_RETRY_MS 1000

static bool is_pending(Relation queue,
					   HeapTuple row,
					   const SyncQueueColumns *columns);

static const char *const names[SYNC_QUEUE_NCOLUMNS] = {
	[SYNC_QUEUE_QUEUE_ID] = "queue_id",
	[SYNC_QUEUE_TIMING_PARTNER_ID] = "timing_partner_id",
	[SYNC_QUEUE_EVENT_ID] = "event_id",
	[SYNC_QUEUE_PROVIDER_NAME] = "provider_name",
	[SYNC_QUEUE_OPERATION_TYPE] = "operation_type",
	[SYNC_QUEUE_PRIORITY] = "priority",
	[SYNC_QUEUE_SCHEDULED_TIME] = "scheduled_time",
	[SYNC_QUEUE_STATUS] = "status",
	[SYNC_QUEUE_PAYLOAD] = "payload",
	[SYNC_QUEUE_ATTEMPT] = "attempt",
	[SYNC_QUEUE_MAX_ATTEMPTS] = "max_attempts",
	[SYNC_QUEUE_UNIQUE_KEY] = "unique_key",
	[SYNC_QUEUE_SYNC_JOB_ID] = "sync_job_id",
	[SYNC_QUEUE_RUN_AS] = "run_as",
	[SYNC_QUEUE_LEASE_UNTIL] = "lease_until",
	[SYNC_QUEUE_WORKER_PID] = "worker_pid",
	[SYNC_QUEUE_LANE] = "lane",
	[SYNC_QUEUE_LAST_ERROR] = "last_error",
	[SYNC_QUEUE_AFTER] = "after",
	[SYNC_QUEUE_AFTER_GROUP] = "after_group",
	[SYNC_QUEUE_ON_FAILURE] = "on_failure",
	[SYNC_QUEUE_TASK_GROUP] = "task_group",
	[SYNC_QUEUE_WAITING_ON] = "waiting_on",
};

/*
 * Open sync_queue for changing its rows.  Raises where the extension is not
 * there.
 */
Relation
sync_queue_open(void)
{
	Oid schema = sync_kit_extension_schema();

	return table_open(get_relname_relid("sync_queue", schema),
					  RowExclusiveLock);
}

/*
 * Find out where the columns are.  They stay there as long as the table is the
 * same, which its row type tells.
 */
void
sync_queue_find_columns(TupleDesc desc, SyncQueueColumns *columns)
{
	static SyncQueueColumns known;
	static Oid known_type = InvalidOid;

	if (known_type == desc->tdtypeid)
	{
		*columns = known;
		return;
	}
	for (int i = 0; i < SYNC_QUEUE_NCOLUMNS; i++)
	{
		AttrNumber n = 1;

		while (n <= desc->natts &&
			   strcmp(NameStr(TupleDescAttr(desc, n - 1)->attname), names[i]) !=
				   0)
			n++;
		if (n > desc->natts)
			elog(ERROR, "sync_queue has no column \"%s\"", names[i]);
		columns->number[i] = n;
	}
	known = *columns;
	known_type = desc->tdtypeid;
}

/*
 * Make a task of a row, which it keeps, in the current memory context.  The
 * attempt is the one that is about to be made.
 */
SyncTask *
sync_queue_task(HeapTuple tuple, TupleDesc desc, const SyncQueueColumns *columns)
{
	SyncTask *task = palloc0(sizeof(SyncTask));
	Datum values[SYNC_QUEUE_NTASK];
	bool nulls[SYNC_QUEUE_NTASK];

	for (int i = 0; i < SYNC_QUEUE_NTASK; i++)
		values[i] = heap_getattr(tuple, columns->number[i], desc, &nulls[i]);

	task->tuple = tuple;
	task->tid = tuple->t_self;
	task->queue_id = DatumGetInt64(values[SYNC_QUEUE_QUEUE_ID]);
	task->priority = DatumGetInt32(values[SYNC_QUEUE_PRIORITY]);
	task->lane = DatumGetInt64(values[SYNC_QUEUE_LANE]);
	task->scheduled_time =
		DatumGetTimestampTz(values[SYNC_QUEUE_SCHEDULED_TIME]);
	task->run_as = DatumGetObjectId(values[SYNC_QUEUE_RUN_AS]);
	task->payload = values[SYNC_QUEUE_PAYLOAD];
	task->attempt = DatumGetInt32(values[SYNC_QUEUE_ATTEMPT]) + 1;
	task->has_partner = !nulls[SYNC_QUEUE_TIMING_PARTNER_ID];
	task->timing_partner_id =
		task->has_partner ? DatumGetInt64(values[SYNC_QUEUE_TIMING_PARTNER_ID])
						  : 0;
	if (!nulls[SYNC_QUEUE_EVENT_ID])
	{
		task->event_id = palloc(sizeof(int64));
		*task->event_id = DatumGetInt64(values[SYNC_QUEUE_EVENT_ID]);
	}
	task->operation_type =
		TextDatumGetCString(values[SYNC_QUEUE_OPERATION_TYPE]);
	if (!nulls[SYNC_QUEUE_PROVIDER_NAME])
		task->provider_name =
			TextDatumGetCString(values[SYNC_QUEUE_PROVIDER_NAME]);
	if (!nulls[SYNC_QUEUE_SYNC_JOB_ID])
	{
		task->sync_job_id = palloc(sizeof(Datum));
		*task->sync_job_id = values[SYNC_QUEUE_SYNC_JOB_ID];
	}
	if (!nulls[SYNC_QUEUE_LEASE_UNTIL])
		task->lease_until = DatumGetTimestampTz(values[SYNC_QUEUE_LEASE_UNTIL]);
	if (!nulls[SYNC_QUEUE_WORKER_PID])
		task->worker_pid = DatumGetInt32(values[SYNC_QUEUE_WORKER_PID]);
	task->operation = sync_queue_operation(task->operation_type);
	task->max_attempts =
		!nulls[SYNC_QUEUE_MAX_ATTEMPTS]
			? DatumGetInt32(values[SYNC_QUEUE_MAX_ATTEMPTS])
			: (task->operation ? task->operation->max_attempts : 1);
	return task;
}

/*
 * The row of a task with other values in these columns, none of them NULL.
 */
HeapTuple
sync_queue_changed_row(Relation queue,
					   const SyncTask *task,
					   const SyncQueueColumn *columns,
					   Datum *values,
					   int n)
{
	SyncQueueColumns known;
	int numbers[SYNC_QUEUE_NCOLUMNS];
	bool nulls[SYNC_QUEUE_NCOLUMNS] = {false};

	sync_queue_find_columns(RelationGetDescr(queue), &known);
	for (int i = 0; i < n; i++)
		numbers[i] = known.number[columns[i]];
	return heap_modify_tuple_by_cols(task->tuple,
									 RelationGetDescr(queue),
									 n,
									 numbers,
									 values,
									 nulls);
}

/*
 * A copy of a task that is held, with all that it keeps, in the current memory
 * context.
 */
SyncTask *
sync_queue_copy(Relation queue, const SyncTask *task)
{
	SyncQueueColumns columns;
	SyncTask *copy;

	sync_queue_find_columns(RelationGetDescr(queue), &columns);
	copy = sync_queue_task(heap_copytuple(task->tuple),
						   RelationGetDescr(queue),
						   &columns);
	copy->held = task->held;
	copy->lease_until = task->lease_until;
	return copy;
}

/*
 * Take the row of a task out of the queue, in this transaction.  Returns false
 * where it is not there any more as it was claimed, or is held by another
 * transaction.
 */
bool
sync_queue_remove(Relation queue, SyncTask *task)
{
	TM_FailureData failure;
	TM_Result result =
		table_tuple_delete(queue,
						   &task->tid,
						   GetCurrentCommandId(true),
						   GetActiveSnapshot(),
						   InvalidSnapshot,
						   false,
						   &failure,
						   false);

	/* another worker offers it again, should it fail; others do not */
	if (result == TM_BeingModified && !sync_shmem_workers_holds(failure.xmax))
		sync_queue_look_again();
	return result == TM_Ok;
}

/*
 * The pending task of that number, in the current memory context, or NULL.
 */
SyncTask *
sync_queue_find_pending(Relation queue, int64 queue_id)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	SyncQueueColumns columns;
	SyncTask *task = NULL;

	sync_queue_find_columns(RelationGetDescr(queue), &columns);
	ScanKeyInit(&key,
				columns.number[SYNC_QUEUE_QUEUE_ID],
				BTEqualStrategyNumber,
				F_INT8EQ,
				Int64GetDatum(queue_id));
	scan = systable_beginscan(queue,
							  get_relname_relid("sync_queue_pkey",
												RelationGetNamespace(queue)),
							  true,
							  GetActiveSnapshot(),
							  1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && is_pending(queue, tuple, &columns))
		task = sync_queue_task(heap_copytuple(tuple),
							   RelationGetDescr(queue),
							   &columns);
	systable_endscan(scan);
	return task;
}

/*
 * Does a row say that its task is pending?
 */
static bool
is_pending(Relation queue, HeapTuple row, const SyncQueueColumns *columns)
{
	bool isnull;
	Datum status = heap_getattr(row,
								columns->number[SYNC_QUEUE_STATUS],
								RelationGetDescr(queue),
								&isnull);

	return sync_queue_status(TextDatumGetCString(status)) == SYNC_TASK_PENDING;
}

/*
 * A task was claimed that somebody holds: have it looked for again soon, since
 * nobody says when it is let go.
 */
void
sync_queue_look_again(void)
{
	sync_shmem_lanes_sweep_by(MyDatabaseId,
							  TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														  HELD_RETRY_MS));
}
