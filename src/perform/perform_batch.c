/*-------------------------------------------------------------------------
 *
 * perform_batch.c
 *	  Performing what is due: a batch of tasks in one transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "perform/perform.h"
#include "shmem/shmem_marks.h"
#include "shmem/shmem_workers.h"

/* after so long a batch is committed, so that what is done is seen to be */
#define BATCH_MS 50

static void perform(SyncRound *round, Relation queue, SyncTask *task);
static void commit_without_waiting(void);
static void report(SyncTask *task);

/* set by sync_perform_on_sweep */
static SyncSweepHook sweep_hook = NULL;

/*
 * Claim at most "max" due tasks and perform them, in the current transaction, or
 * lease one of kind external, or at most "max_driven" that are driven, which are
 * then to be performed or begun in the next; all from lanes of some kinds.  Those that
 * were driven and have ended are settled.  What is put into "round" lies in the
 * current memory context, which has to outlive the transaction.  Returns whether
 * there was any.
 */
bool
sync_perform_batch(SyncRound *round, int max, int max_driven, int kinds)
{
	TimestampTz start = GetCurrentTimestamp();
	Relation queue = sync_queue_open();
	List *tasks;
	SyncTask *of_job = NULL;
	bool worked;
	ListCell *cell;

	round->external = NULL;
	round->driven = false;
	round->last = false;
	sync_perform_forget_handlers();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (sync_perform_driven() > 0)
		round->driven = sync_perform_drive_settle(round, queue);
	worked = round->driven;
	tasks = round->last
				? NIL
				: sync_queue_claim(queue,
								   max,
								   Min(max_driven, sync_perform_drive_room()),
								   kinds,
								   start);
	worked |= tasks != NIL;
	if (tasks)
	{
		if (!round->session)
			report(linitial(tasks));
		/* there may be enough for another, who does the same */
		if (sync_shmem_lanes_due(MyDatabaseId, SYNC_LANES_ALL) <= start)
			sync_shmem_workers_wake(MyDatabaseId);
	}
	if (tasks && sync_queue_is_driven(linitial(tasks)))
	{
		sync_perform_drive_lease(round, queue, tasks);
		tasks = NIL;
	}
	foreach(cell, tasks)
	{
		SyncTask *task = lfirst(cell);

		/* what one leaves open in a transaction is not for another role */
		if (round->last ||
			task->run_as != ((SyncTask *) linitial(tasks))->run_as ||
			!sync_perform_joins(task, &of_job))
		{
			sync_queue_offer_back(task);
			continue;
		}
		if (task->operation && task->operation->external)
		{
			if (sync_queue_lease(task))
			{
				/* from when it is committed, somebody is at work on it */
				sync_shmem_workers_set_task(task->queue_id,
											InvalidTransactionId);
				sync_perform_start_job(task);
				round->external = task;
			}
			else
			{
				sync_queue_look_again();
				sync_queue_unspend(task);
			}
			break;
		}
		/* the first is always begun, or a short limit would begin none */
		if (foreach_current_index(cell) > 0 &&
			TimestampDifferenceExceeds(start, GetCurrentTimestamp(), BATCH_MS))
		{
			sync_queue_offer_back(task);
			continue;
		}
		perform(round, queue, task);
	}
	sync_perform_write_history(round);
	PopActiveSnapshot();
	table_close(queue, NoLock);
	/* a lease is durable before anybody acts on it, and what came of that */
	if (sync_guc_async_commit && round->external == NULL && !round->driven)
		commit_without_waiting();
	return worked;
}

/*
 * Perform a task in this transaction, and settle it.  Where it met another
 * process over locks of which some may be those of tasks before it, that is
 * neither's fault: it is put back as it was, and gets a transaction of its own.
 */
static void
perform(SyncRound *round, Relation queue, SyncTask *task)
{
	SyncResult result;

	if (sync_shmem_marks_suspected(task->queue_id, task->attempt))
	{
		sync_queue_look_again();
		sync_queue_unspend(task);
		return;
	}
	if (!sync_queue_remove(queue, task))
	{
		sync_queue_unspend(task);
		return;
	}
	sync_shmem_workers_set_task(task->queue_id, GetTopTransactionIdIfAny());
	sync_shmem_marks_set(task->queue_id, task->attempt);
	sync_perform_attempt(round, task, sync_perform_call, NULL, &result);
	sync_shmem_marks_set(0, 0);
	sync_shmem_workers_set_task(0, GetTopTransactionIdIfAny());
	if (result.error && round->attempts &&
		result.error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED)
	{
		sync_queue_put_back_untried(queue, task);
		round->last = round->collided = true;
		return;
	}
	sync_perform_settle(round, queue, task, &result);
}

/*
 * Perform the task that was leased in the transaction before.
 */
void
sync_perform_external(SyncRound *round)
{
	SyncTask *task = round->external;
	Relation queue = sync_queue_open();
	SyncResult result;

	sync_perform_forget_handlers();
	task->worker_pid = MyProcPid;
	task->operation = sync_queue_operation(task->operation_type);
	PushActiveSnapshot(GetTransactionSnapshot());
	sync_shmem_workers_set_task(task->queue_id, InvalidTransactionId);
	sync_perform_attempt(round, task, sync_perform_call, NULL, &result);
	sync_perform_settle(round, queue, task, &result);
	sync_perform_write_history(round);
	PopActiveSnapshot();
	table_close(queue, NoLock);
	round->external = NULL;
}

/*
 * Have "hook" called with each sweep.  Called at load time.
 */
void
sync_perform_on_sweep(SyncSweepHook hook)
{
	sweep_hook = hook;
}

/*
 * Look up all lanes and take back what lost workers have left, where that is
 * due.  Returns whether it was: the transaction then is to be committed before
 * anything is performed, which may take long.
 */
bool
sync_perform_sweep(SyncRound *round)
{
	TimestampTz now = GetCurrentTimestamp();
	Relation queue;
	ListCell *cell;

	if (!sync_shmem_lanes_begin_sweep(
			MyDatabaseId,
			now,
			TimestampTzPlusMilliseconds(now,
										Min(sync_guc_poll_interval_ms,
											sync_guc_lease_timeout_ms / 2))))
		return false;
	queue = sync_queue_open();
	PushActiveSnapshot(GetTransactionSnapshot());
	sync_queue_sweep(queue);
	foreach(cell, sync_queue_stuck(queue))
		sync_perform_settle_stuck(round, queue, lfirst(cell));
	sync_perform_write_history(round);
	sync_perform_sweep_waits(round);
	PopActiveSnapshot();
	table_close(queue, NoLock);
	if (sweep_hook)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		sweep_hook();
		PopActiveSnapshot();
	}
	return true;
}

/*
 * Do not wait for the disk at the end of this transaction: what was done and
 * that it was done are lost together, or not at all.
 */
static void
commit_without_waiting(void)
{
	(void) set_config_option("synchronous_commit",
							 "off",
							 PGC_USERSET,
							 PGC_S_SESSION,
							 GUC_ACTION_LOCAL,
							 true,
							 0,
							 false);
}

/*
 * Let pg_stat_activity say what this worker is at.
 */
static void
report(SyncTask *task)
{
	char activity[NAMEDATALEN + 64];

	snprintf(activity,
			 sizeof(activity),
			 "sync_ext: %.*s, from task " INT64_FORMAT,
			 NAMEDATALEN,
			 task->operation_type,
			 task->queue_id);
	pgstat_report_activity(STATE_RUNNING, activity);
}
