/*-------------------------------------------------------------------------
 *
 * queue_state.c
 *	  The states of a task, and the steps between them.
 *
 *	  none -> (waiting ->) pending -> running -> completed, failed, cancelled
 *
 * A task of kind transaction goes from pending to its end in one commit.  One
 * that is to be tried again goes back to pending.  By hand, a task can only
 * be put in, cancelled or deleted while it is pending or waiting.  Which of the
 * two it is follows from what it waits for (queue_guard.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "queue/queue_row.h"

static const char *const words[] = {
	[SYNC_TASK_NONE] = "none",
	[SYNC_TASK_WAITING] = "waiting",
	[SYNC_TASK_PENDING] = "pending",
	[SYNC_TASK_RUNNING] = "running",
	[SYNC_TASK_COMPLETED] = "completed",
	[SYNC_TASK_FAILED] = "failed",
	[SYNC_TASK_CANCELLED] = "cancelled",
};

static bool step_exists(SyncTaskStatus from, SyncTaskStatus to, bool engine);

/*
 * The state that a word stands for.  Raises on any other word.
 */
SyncTaskStatus
sync_queue_status(const char *word)
{
	for (int i = SYNC_TASK_WAITING; i < lengthof(words); i++)
		if (strcmp(words[i], word) == 0)
			return i;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unrecognized status of a task: \"%s\"", word),
			errhint("A task is waiting, pending, running, completed, failed or cancelled."));
}

/*
 * Raise unless a task may go from one state to the other, the engine taking it
 * there, or somebody by hand.
 */
void
sync_queue_check_step(SyncTaskStatus from, SyncTaskStatus to, bool engine)
{
	if (step_exists(from, to, engine))
		return;
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("a task cannot go from %s to %s", words[from], words[to]),
			from == SYNC_TASK_RUNNING
				? errhint("A running task is stopped by sync_cancel().")
				: errhint("By hand, a task can only be cancelled, and only while it is pending or waiting."));
}

/*
 * Is there such a step?
 */
static bool
step_exists(SyncTaskStatus from, SyncTaskStatus to, bool engine)
{
	switch (from)
	{
		case SYNC_TASK_NONE:
			return to == SYNC_TASK_PENDING || to == SYNC_TASK_WAITING;
		case SYNC_TASK_PENDING:
		case SYNC_TASK_WAITING:
			return to == SYNC_TASK_PENDING || to == SYNC_TASK_WAITING ||
				   to == SYNC_TASK_CANCELLED || to == SYNC_TASK_NONE || engine;
		case SYNC_TASK_RUNNING:
			return engine;
		default:
			/* it is on its way out */
			return engine && to == SYNC_TASK_NONE;
	}
}
