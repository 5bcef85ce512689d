/*-------------------------------------------------------------------------
 *
 * perform_drive.c
 *	  Tasks that are driven: performed beside each other, by steps.
 *
 * They are leased, many in one commit, and begun in the next transaction.  Then
 * they are stepped between transactions, while all that any of them waits for
 * is waited for at once: sockets, the clock and the latch.  Those that have
 * something to keep, or have ended, share transactions again (perform_finish.c).
 *
 * What a transaction did with a task that was not committed is not tried again:
 * the task is let go, and taken for stuck by whoever sweeps next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "perform/perform_drive.h"
#include "shmem/shmem_driven.h"
#include "shmem/shmem_workers.h"

/* so many are begun before their transfers are let go on */
#define BEGUN_MAX 20

/* how soon what was let go is looked for */
#define LET_GO_MS 1000

static void add(Relation queue, SyncTask *task);
static Datum *begin(SyncTask *task, void *arg);
static void forget(bool unsure);
static bool is_driven(int64 queue_id);
static void drop(SyncDriven *driven);

/* SyncDriven, in TopMemoryContext */
static List *all = NIL;

/*
 * The tasks that this process drives, of SyncDriven.
 */
List *
sync_perform_driven_list(void)
{
	return all;
}

/*
 * How many tasks this process drives.
 */
int
sync_perform_driven(void)
{
	return list_length(all);
}

/*
 * How many more it may drive.
 */
int
sync_perform_drive_room(void)
{
	int count = 0;
	ListCell *cell;

	foreach(cell, all)
		if (((SyncDriven *) lfirst(cell))->next != DRIVEN_DROP)
			count++;
	return sync_guc_http_concurrency - count;
}

/*
 * Lease tasks that were claimed, to be begun in the next transaction.
 */
void
sync_perform_drive_lease(SyncRound *round, Relation queue, List *tasks)
{
	SyncTask *of_job = NULL;
	List *joined = NIL;
	List *held;
	ListCell *cell;

	foreach(cell, tasks)
	{
		SyncTask *task = lfirst(cell);

		if (sync_perform_joins(task, &of_job))
			joined = lappend(joined, task);
		else
		{
			sync_queue_offer_back(task);
			(void) sync_shmem_driven_end(task->queue_id);
		}
	}
	held = sync_queue_hold(queue, joined);
	foreach(cell, joined)
	{
		SyncTask *task = lfirst(cell);

		if (!list_member_ptr(held, task))
		{
			(void) sync_shmem_driven_end(task->queue_id);
			sync_queue_unspend(task);
		}
		else
		{
			if (task == of_job)
				sync_perform_start_job(task);
			add(queue, task);
		}
	}
	round->driven |= held != NIL;
}

/*
 * Add a task to those that are driven.
 */
static void
add(Relation queue, SyncTask *task)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sync driven task",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SyncDriven *driven = palloc0(sizeof(SyncDriven));

	driven->context = context;
	driven->task = sync_queue_copy(queue, task);
	driven->driver = task->operation->driver;
	driven->next = DRIVEN_BEGIN;
	driven->unsure = true;
	driven->timeout_ms = task->operation->timeout_ms;
	sync_perform_let_go_at_exit();
	MemoryContextSwitchTo(TopMemoryContext);
	all = lappend(all, driven);
	MemoryContextSwitchTo(caller);
}

/*
 * Begin tasks that were leased in transactions before, each as its role, but not
 * so many that the first would wait for the last.  Returns whether there were any.
 */
bool
sync_perform_drive_begin(SyncRound *round)
{
	int count = 0;
	ListCell *cell;

	round->driving = true;
	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);
		SyncResult result;
		MemoryContext caller;

		if (driven->next != DRIVEN_BEGIN)
			continue;
		if (count++ == BEGUN_MAX)
			break;
		if (count == 1)
		{
			sync_perform_forget_handlers();
			sync_perform_check_constraints_at_once();
		}
		driven->unsure = true;
		caller = MemoryContextSwitchTo(driven->context);
		driven->task->operation =
			sync_queue_operation(driven->task->operation_type);
		sync_perform_attempt(round, driven->task, begin, driven, &result);
		driven->started_at = driven->step_at = result.started_at;
		driven->deadline =
			driven->timeout_ms ? TimestampTzPlusMilliseconds(result.started_at,
															 driven->timeout_ms)
							   : DT_NOEND;
		driven->error = result.error;
		driven->cancelled = result.cancelled;
		driven->next = result.error ? DRIVEN_FINISH : DRIVEN_STEP;
		MemoryContextSwitchTo(caller);
	}
	round->driving = false;
	return count > 0;
}

/*
 * Have a task begun by its driver; a SyncAct.
 */
static Datum *
begin(SyncTask *task, void *arg)
{
	SyncDriven *driven = arg;

	sync_perform_check_driver(task, driven->driver);
	driven->state = driven->driver->begin(task);
	driven->begun = true;
	return NULL;
}

/*
 * What was done with tasks in the transaction before has been committed.
 */
void
sync_perform_drive_committed(void)
{
	int before = list_length(all);
	ListCell *cell;

	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);

		driven->unsure = false;
		if (driven->next != DRIVEN_DROP)
			continue;
		all = foreach_delete_current(all, cell);
		drop(driven);
	}
	sync_shmem_workers_set_driven(list_length(all));
	/* others of their kinds may be waiting for that */
	if (list_length(all) < before && sync_shmem_lanes_unblock(MyDatabaseId))
		sync_shmem_workers_wake(MyDatabaseId);
}

/*
 * Forget the tasks with which something was done in a transaction that was not
 * committed.
 */
void
sync_perform_drive_recover(void)
{
	forget(true);
}

/*
 * Forget all tasks that this process drives: it stops performing.
 */
void
sync_perform_drive_abandon(void)
{
	forget(false);
}

/*
 * Forget tasks, all or the "unsure" ones only, and have them looked for: those
 * that are still running in the table are taken for stuck.
 */
static void
forget(bool unsure)
{
	bool found = false;
	ListCell *cell;

	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);

		if (unsure && !driven->unsure)
			continue;
		found = true;
		all = foreach_delete_current(all, cell);
		drop(driven);
	}
	/* and those that were claimed and not leased */
	found |= sync_shmem_driven_retain(is_driven);
	if (!found)
		return;
	sync_shmem_workers_set_driven(list_length(all));
	sync_shmem_lanes_sweep_by(MyDatabaseId,
							  TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														  LET_GO_MS));
}

/*
 * Does this process drive that task?
 */
static bool
is_driven(int64 queue_id)
{
	ListCell *cell;

	foreach(cell, all)
		if (((SyncDriven *) lfirst(cell))->task->queue_id == queue_id)
			return true;
	return false;
}

/*
 * Close a task that is not in the list any more, and free all that it had.
 */
static void
drop(SyncDriven *driven)
{
	if (driven->begun && driven->driver->close)
		driven->driver->close(driven->state);
	(void) sync_shmem_driven_end(driven->task->queue_id);
	MemoryContextDelete(driven->context);
}
