/*-------------------------------------------------------------------------
 *
 * perform_crash.c
 *	  Tasks of kind transaction whose process was lost in the middle.
 *
 * The row of such a task is as it was, since nothing was committed.  That it was
 * tried is known from the mark that was left (shmem_marks.c), and is counted
 * before the task can be begun again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "perform/perform.h"
#include "shmem/shmem_marks.h"

static bool settle(SyncRound *round, Relation queue, const SyncMark *suspect);

/*
 * Count the attempts that ended in a crash, if there were any.  Commits then.
 */
void
sync_perform_settle_crashed(SyncRound *round, void (*commit)(void))
{
	MemoryContext context = CurrentMemoryContext;
	List *suspects = sync_shmem_marks_suspects(MyDatabaseId);
	List *settled = NIL;
	Relation queue;
	ListCell *cell;

	if (suspects == NIL)
		return;
	queue = sync_queue_open();
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, suspects)
		if (settle(round, queue, lfirst(cell)))
			settled = lappend(settled, lfirst(cell));
	sync_perform_write_history(round);
	PopActiveSnapshot();
	table_close(queue, NoLock);
	commit();
	MemoryContextSwitchTo(context);
	foreach(cell, settled)
		sync_shmem_marks_forget(lfirst(cell));
}

/*
 * Count one.  Returns false where somebody else holds the task: it is left alone
 * for now.
 */
static bool
settle(SyncRound *round, Relation queue, const SyncMark *suspect)
{
	SyncTask *task = sync_queue_find_pending(queue, suspect->queue_id);

	/* one of kind external is known by its lease */
	if (task == NULL || task->attempt != suspect->attempt)
		return true;
	if (!sync_queue_remove(queue, task))
		return false;
	sync_perform_settle_stuck(round, queue, task);
	return true;
}
