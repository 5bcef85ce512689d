/*-------------------------------------------------------------------------
 *
 * queue_lease.c
 *	  Running tasks, and whether those who run them live.
 *
 * A worker that is at work on a task of kind external cannot renew its lease
 * itself.  Whoever sweeps does it for those that live, and takes back what
 * others have left.  Where nothing is shared, a process that lives is believed
 * until its lease runs out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_compat_table.h"
#include "kit/kit_settings.h"
#include "queue/queue_row.h"
#include "shmem/shmem_driven.h"
#include "shmem/shmem_segment.h"
#include "shmem/shmem_workers.h"

static bool is_at_work(const SyncTask *task);

/*
 * The running tasks that nobody is at work on any more, in the current memory
 * context.  Leases of the others are renewed where less than half is left.
 */
List *
sync_queue_stuck(Relation queue)
{
	List *running = NIL;
	List *stuck = NIL;
	Relation index = index_open(get_relname_relid("sync_queue_lease_until_idx",
												  RelationGetNamespace(queue)),
								AccessShareLock);
	TupleTableSlot *slot = table_slot_create(queue, NULL);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc scan = sync_compat_index_beginscan(queue, index, snapshot, 0);
	TimestampTz soon =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									sync_guc_lease_timeout_ms / 2);
	SyncQueueColumns columns;
	ListCell *cell;

	sync_queue_find_columns(RelationGetDescr(queue), &columns);
	index_rescan(scan, NULL, 0, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		SyncTask *task = sync_queue_task(ExecCopySlotHeapTuple(slot),
										 RelationGetDescr(queue),
										 &columns);

		task->attempt--; /* it has been begun */
		running = lappend(running, task);
	}
	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);

	foreach(cell, running)
	{
		SyncTask *task = lfirst(cell);

		if (!is_at_work(task))
			stuck = lappend(stuck, task);
		else if (task->lease_until < soon && sync_shmem_available())
			sync_queue_renew(task, task->worker_pid);
	}
	return stuck;
}

/*
 * Is the process that has the task at work on it?
 */
static bool
is_at_work(const SyncTask *task)
{
	PGPROC *holder;

	if (sync_shmem_workers_performs(MyDatabaseId,
									task->worker_pid,
									task->queue_id) ||
		sync_shmem_driven_performs(MyDatabaseId,
								   task->worker_pid,
								   task->queue_id))
		return true;
	holder = BackendPidGetProc(task->worker_pid);
	if (holder == NULL || holder->databaseId != MyDatabaseId ||
		task->lease_until < GetCurrentTimestamp())
		return false;
	/* a worker has a slot, unless there are more than there are slots */
	return !sync_shmem_available();
}
