/*-------------------------------------------------------------------------
 *
 * perform_finish.c
 *	  Tasks that are driven, when they have something to keep or have ended:
 *	  many in one transaction, each in its own subtransaction.
 *
 * Those whose finish locks what others want, as a target, are not among the
 * others, which would have to wait with them.  They share a transaction where
 * only the first of them may have to wait for its locks, so that no two
 * transactions wait for each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "perform/perform_drive.h"

/* so many subtransactions of one transaction are known to all at little cost */
#define SETTLED_MAX 60

/* those that lock have others within their own */
#define LOCKING_MAX 30

/* after so long those that lock are committed: others wait */
#define LOCKING_MS 50

static bool is_ready(const SyncDriven *driven);
static bool locks(const SyncDriven *driven);
static bool is_turn_of_locking(void);
static bool follows(const SyncDriven *first, const SyncDriven *driven);
static void renew(void);
static void keep(SyncRound *round, SyncDriven *driven);
static Datum *store(SyncTask *task, void *arg);
static void settle(SyncRound *round, Relation queue, SyncDriven *driven);
static Datum *finish(SyncTask *task, void *arg);

/*
 * Is there one with something to be kept, or one that has ended?
 */
bool
sync_perform_drive_ready(void)
{
	ListCell *cell;

	foreach(cell, sync_perform_driven_list())
		if (is_ready(lfirst(cell)))
			return true;
	return false;
}

/*
 * Let those tasks keep what they have to keep, and settle those that have ended,
 * as many as one transaction may.  Returns whether there were any.
 */
bool
sync_perform_drive_settle(SyncRound *round, Relation queue)
{
	TimestampTz start = GetCurrentTimestamp();
	bool locking = is_turn_of_locking();
	SyncDriven *first = NULL;
	SyncTask *of_job = NULL;
	int count = 0;
	ListCell *cell;

	renew();
	round->driving = true;
	round->last = locking;
	foreach(cell, sync_perform_driven_list())
	{
		SyncDriven *driven = lfirst(cell);

		if (!is_ready(driven) || locks(driven) != locking ||
			!sync_perform_joins(driven->task, &of_job) ||
			(locking && first && !follows(first, driven)))
			continue;
		if (first == NULL)
		{
			first = driven;
			sync_perform_check_constraints_at_once();
		}
		driven->task->operation =
			sync_queue_operation(driven->task->operation_type);
		if (driven->next == DRIVEN_STORE)
			keep(round, driven);
		else
			settle(round, queue, driven);
		if (++count == (locking ? LOCKING_MAX : SETTLED_MAX) ||
			round->interrupted ||
			(locking && TimestampDifferenceExceeds(start,
												   GetCurrentTimestamp(),
												   LOCKING_MS)))
			break;
	}
	round->driving = false;
	return count > 0;
}

/*
 * Has a task something to be kept, or has it ended?
 */
static bool
is_ready(const SyncDriven *driven)
{
	return driven->next == DRIVEN_STORE || driven->next == DRIVEN_FINISH;
}

/*
 * Will settling a task lock what others want?  One that has failed is not
 * finished.
 */
static bool
locks(const SyncDriven *driven)
{
	return driven->next == DRIVEN_FINISH && driven->error == NULL &&
		   driven->driver->finishes_with != NULL;
}

/*
 * Is this the transaction of those that lock?  Others go first, since what they
 * keep lets transfers go on; but not always.
 */
static bool
is_turn_of_locking(void)
{
	static bool were_others = false;
	bool locking = false;
	bool others = false;
	ListCell *cell;

	foreach(cell, sync_perform_driven_list())
	{
		SyncDriven *driven = lfirst(cell);

		locking |= is_ready(driven) && locks(driven);
		others |= is_ready(driven) && !locks(driven);
	}
	were_others = others && !(locking && were_others);
	return locking && !were_others;
}

/*
 * May a task be finished in the transaction of another one, the first of those
 * that lock?  What one leaves open there is not for another role, and one that is
 * tried again may have brought down its worker: it goes alone.
 */
static bool
follows(const SyncDriven *first, const SyncDriven *driven)
{
	return first->driver == driven->driver &&
		   first->task->run_as == driven->task->run_as &&
		   first->task->attempt == 1 && driven->task->attempt == 1 &&
		   driven->driver->finishes_with(first->state, driven->state);
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

	foreach(cell, sync_perform_driven_list())
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
