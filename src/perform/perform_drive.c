/*-------------------------------------------------------------------------
 *
 * perform_drive.c
 *	  Tasks that are driven: performed beside each other, by steps.
 *
 * They are leased, many in one commit, and begun in the next transaction.  Then
 * they are stepped between transactions, while all that any of them waits for
 * is waited for at once: sockets, the clock and the latch.  Those that have
 * something to keep, or have ended, share a transaction again, each in its own
 * subtransaction.
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

/* so many subtransactions of one transaction are known to all at little cost */
#define SETTLED_MAX 60

/* how soon what was let go is looked for */
#define LET_GO_MS 1000

static void add(Relation queue, SyncTask *task);
static Datum *begin(SyncTask *task, void *arg);
static Datum *store(SyncTask *task, void *arg);
static Datum *finish(SyncTask *task, void *arg);
static void keep(SyncRound *round, SyncDriven *driven);
static void settle(SyncRound *round, Relation queue, SyncDriven *driven);
static void renew(void);
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
 * Is there one with something to be kept, or one that has ended?
 */
bool
sync_perform_drive_ready(void)
{
	ListCell *cell;

	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);

		if (driven->next == DRIVEN_STORE || driven->next == DRIVEN_FINISH)
			return true;
	}
	return false;
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
			(void) sync_shmem_driven_end(task->queue_id);
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
 * Begin the tasks that were leased in the transaction before, each as its role.
 * Returns whether there were any.
 */
bool
sync_perform_drive_begin(SyncRound *round)
{
	bool found = false;
	ListCell *cell;

	round->driving = true;
	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);
		SyncResult result;
		MemoryContext caller;

		if (driven->next != DRIVEN_BEGIN)
			continue;
		if (!found)
		{
			sync_perform_forget_handlers();
			sync_perform_check_constraints_at_once();
		}
		found = true;
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
	return found;
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
 * Let those tasks keep what they have to keep, and settle those that have ended,
 * as many as one transaction may.  Returns whether there were any.
 */
bool
sync_perform_drive_settle(SyncRound *round, Relation queue)
{
	SyncTask *of_job = NULL;
	int count = 0;
	ListCell *cell;

	renew();
	round->driving = true;
	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);

		if (driven->next != DRIVEN_STORE && driven->next != DRIVEN_FINISH)
			continue;
		if (!sync_perform_joins(driven->task, &of_job))
			continue;
		if (count++ == 0)
			sync_perform_check_constraints_at_once();
		driven->task->operation =
			sync_queue_operation(driven->task->operation_type);
		if (driven->next == DRIVEN_STORE)
			keep(round, driven);
		else
		{
			round->last = driven->driver->finishes_last;
			settle(round, queue, driven);
		}
		if (count == SETTLED_MAX || round->interrupted || round->last)
			break;
	}
	round->driving = false;
	return count > 0;
}

/*
 * Give this process another lease on its tasks, where the first of them has less
 * than half of it left.
 */
static void
renew(void)
{
	TimestampTz soon =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									sync_guc_lease_timeout_ms / 2);
	List *tasks = NIL;
	bool due = false;
	ListCell *cell;

	foreach(cell, all)
	{
		SyncDriven *driven = lfirst(cell);

		due |= driven->task->lease_until < soon;
		tasks = lappend(tasks, driven->task);
	}
	if (due)
		sync_queue_renew_held(tasks);
	list_free(tasks);
}

/*
 * Let a task keep what came so far.
 */
static void
keep(SyncRound *round, SyncDriven *driven)
{
	MemoryContext caller = MemoryContextSwitchTo(driven->context);
	SyncResult result;

	driven->unsure = true;
	sync_perform_attempt(round, driven->task, store, driven, &result);
	driven->error = result.error;
	driven->cancelled = result.cancelled;
	driven->next = result.error ? DRIVEN_FINISH : DRIVEN_STEP;
	driven->step_at = result.finished_at;
	MemoryContextSwitchTo(caller);
}

/*
 * Have what came so far kept by the driver; a SyncAct.
 */
static Datum *
store(SyncTask *task, void *arg)
{
	SyncDriven *driven = arg;

	driven->driver->store(driven->state);
	return NULL;
}

/*
 * Settle a task that has ended.
 */
static void
settle(SyncRound *round, Relation queue, SyncDriven *driven)
{
	SyncTask *task = driven->task;
	MemoryContext caller = MemoryContextSwitchTo(driven->context);
	SyncResult result = {0};

	driven->unsure = true;
	driven->next = DRIVEN_DROP;
	if (!sync_queue_take_held(queue, task))
	{
		MemoryContextSwitchTo(caller);
		ereport(LOG,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("task " INT64_FORMAT
					   " was taken back while it was at work",
					   task->queue_id),
				errdetail("Its lease had run out."));
		return;
	}
	if (driven->error == NULL)
		sync_perform_attempt(round, task, finish, driven, &result);
	else
	{
		result.error = driven->error;
		result.cancelled = driven->cancelled;
		result.finished_at = GetCurrentTimestamp();
	}
	if (result.error == NULL)
		result.error = task->failure;
	result.started_at = driven->started_at;
	/* what the round keeps outlives the task */
	MemoryContextSwitchTo(caller);
	sync_perform_settle(round, queue, task, &result);
}

/*
 * Have a task finished by its driver; a SyncAct.
 */
static Datum *
finish(SyncTask *task, void *arg)
{
	SyncDriven *driven = arg;

	return driven->driver->finish(driven->state);
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
