/*-------------------------------------------------------------------------
 *
 * perform_settle.c
 *	  What becomes of a task after an attempt: it is done, is tried again, or
 *	  has failed for good, and history says so in the same commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "history/history.h"
#include "perform/perform.h"
#include "shmem/shmem_rates.h"

static List *count(List *kinds, const SyncAttempt *attempt);
static bool is_running(const SyncTask *task);
static bool put_off(Relation queue,
					SyncTask *task,
					const ErrorData *error,
					TimestampTz now);
static void take_out(SyncTask *task);
static void raise_alert(const char *kind, SyncTask *task, const char *message);
static void note(SyncRound *round,
				 SyncTask *task,
				 SyncResult *result,
				 const char *status);

/*
 * Settle a task after an attempt at it.  Raises where it is in other hands by
 * now: the attempt is to be rolled back.
 */
void
sync_perform_settle(SyncRound *round,
					Relation queue,
					SyncTask *task,
					SyncResult *result)
{
	ErrorData *error = result->error;

	round->performed++;
	if (error)
		round->failed++;
	if (error == NULL)
	{
		if (is_running(task))
			take_out(task);
		note(round, task, result, "success");
	}
	else if (!result->cancelled && sync_queue_retries(task, error->sqlerrcode))
	{
		if (put_off(queue, task, error, result->finished_at))
			note(round, task, result, "failed");
	}
	else
	{
		if (is_running(task))
			take_out(task);
		result->details = sync_queue_keep(queue, task);
		note(round,
			 task,
			 result,
			 result->cancelled ? "cancelled" : "failed_permanent");
		if (!result->cancelled)
			raise_alert(SYNC_ALERT_FAILED, task, error->message);
	}
}

/*
 * Settle a task whose worker was lost, which counts as an attempt: one that is
 * running, or that was taken out in this transaction.
 */
void
sync_perform_settle_stuck(SyncRound *round, Relation queue, SyncTask *task)
{
	ErrorData *error = palloc0(sizeof(ErrorData));
	SyncResult result = {
		.error = error,
		.started_at = GetCurrentTimestamp(),
	};

	error->sqlerrcode =
		is_running(task) ? ERRCODE_CONNECTION_FAILURE : ERRCODE_CRASH_SHUTDOWN;
	error->message =
		is_running(task)
			? "the worker was lost while it was at work on the task"
			: "the server crashed while a process was at work on the task";
	result.finished_at = result.started_at;
	if (task->operation && task->attempt < task->max_attempts)
	{
		/* else it was not lost after all, or is taken back already */
		if (put_off(queue, task, error, result.finished_at))
		{
			note(round, task, &result, "stuck");
			raise_alert(SYNC_ALERT_STUCK, task, error->message);
		}
		return;
	}
	if (is_running(task) && !sync_queue_finish(task, task->worker_pid))
		return;
	note(round, task, &result, "stuck");
	result.details = sync_queue_keep(queue, task);
	note(round, task, &result, "failed_permanent");
	raise_alert(SYNC_ALERT_FAILED, task, error->message);
}

/*
 * Write the history of all that was settled, and count it.
 */
void
sync_perform_write_history(SyncRound *round)
{
	List *kinds = NIL;
	const SyncAttempt *previous = NULL;
	ListCell *cell;

	if (round->attempts == NIL)
		return;
	sync_history_attempts(round->attempts);
	foreach(cell, round->attempts)
	{
		const SyncAttempt *attempt = lfirst(cell);

		/* that one that was stuck was the last is no other attempt */
		if (previous == NULL || previous->queue_id != attempt->queue_id ||
			previous->attempt != attempt->attempt)
			kinds = count(kinds, attempt);
		previous = attempt;
	}
	sync_shmem_rates_add(MyDatabaseId, kinds);
	round->attempts = NIL;
}

/*
 * Count an attempt among those of its kind, SyncPerformed, unless the task was
 * given up.
 */
static List *
count(List *kinds, const SyncAttempt *attempt)
{
	const char *provider = attempt->subject;
	SyncPerformed *kind = NULL;
	ListCell *cell;

	if (strcmp(attempt->status, "cancelled") == 0)
		return kinds;
	foreach(cell, kinds)
	{
		SyncPerformed *known = lfirst(cell);

		if (strcmp(known->operation, attempt->operation) == 0 &&
			(known->provider && provider
				 ? strcmp(known->provider, provider) == 0
				 : known->provider == provider))
			kind = known;
	}
	if (kind == NULL)
	{
		kind = palloc0(sizeof(SyncPerformed));
		kind->operation = attempt->operation;
		kind->provider = provider;
		kinds = lappend(kinds, kind);
	}
	if (attempt->error)
		kind->failed++;
	else
		kind->done++;
	return kinds;
}

/*
 * Is the task in the table, marked as running?
 */
static bool
is_running(const SyncTask *task)
{
	return task->worker_pid != 0;
}

/*
 * Have a task tried again.  Returns false where it is in other hands.
 */
static bool
put_off(Relation queue, SyncTask *task, const ErrorData *error, TimestampTz now)
{
	TimestampTz when = sync_queue_next_attempt(task, now);

	if (is_running(task))
		return sync_queue_postpone(task, task->worker_pid, when, error->message);
	sync_queue_put_back(queue, task, when, error->message);
	return true;
}

/*
 * Take a running task out of the queue, or raise.
 */
static void
take_out(SyncTask *task)
{
	if (!sync_queue_finish(task, task->worker_pid))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("task " INT64_FORMAT
					   " was taken back while it was at work",
					   task->queue_id),
				errdetail("Its lease had run out."));
}

/*
 * Raise an alert about a task; but none about one that delivers alerts.
 */
static void
raise_alert(const char *kind, SyncTask *task, const char *message)
{
	if (strcmp(task->operation_type, SYNC_ALERT_OPERATION) == 0)
		return;
	sync_alert_raise(kind,
					 task->provider_name ? psprintf("%s %s",
													task->operation_type,
													task->provider_name)
										 : task->operation_type,
					 message,
					 task->queue_id);
}

/*
 * Note an attempt for history.
 */
static void
note(SyncRound *round, SyncTask *task, SyncResult *result, const char *status)
{
	SyncAttempt *attempt = sync_queue_story(task, status);

	attempt->started_at = result->started_at;
	attempt->finished_at = result->finished_at;
	attempt->details = result->details;
	attempt->error = result->error;
	round->attempts = lappend(round->attempts, attempt);
	/* other words are those of tasks that stay */
	if (strcmp(status, "failed") != 0 && strcmp(status, "stuck") != 0)
		sync_queue_add_left(&round->left, task->queue_id);
}
