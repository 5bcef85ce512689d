/*-------------------------------------------------------------------------
 *
 * perform_step.c
 *	  Tasks that are driven, while they wait: no transaction is at work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "http/http.h"
#include "perform/perform_drive.h"
#include "shmem/shmem_driven.h"

/* of what a step asks of the server, since no transaction is: the hash of a secret */
static ResourceOwner owner = NULL;

static TimestampTz step_all(void);
static void step(SyncDriven *driven);
static void release_owner(void);
static void give_up_cancelled(void);
static void fail(SyncDriven *driven, const char *message);

/*
 * Let the tasks go on, in no transaction that holds anything, until the latch was
 * set, the time has come, or, where "settle" says so, one has something to be
 * kept or has ended.  Transfers go on in any case.  Raises where the session is to be
 * interrupted.
 */
void
sync_perform_drive_wait(TimestampTz due, bool session, bool settle)
{
	bool latched = false;
	bool ended = false;

	while (!latched && !ended)
	{
		TimestampTz next = Min(step_all(), due);
		TimestampTz now = GetCurrentTimestamp();
		long wait_ms = -1;

		ended = (settle && sync_perform_drive_ready()) || due <= now;
		if (ended)
			wait_ms = 0;
		else if (next != DT_NOEND)
			wait_ms = TimestampDifferenceMilliseconds(now, next);
		/* a cancel of a worker that no task is meant by means nothing */
		if (!session)
			HOLD_CANCEL_INTERRUPTS();
		latched = sync_http_wait(wait_ms);
		if (!session)
			RESUME_CANCEL_INTERRUPTS();
	}
	give_up_cancelled();
	(void) step_all();
}

/*
 * Let each task take the steps that it can.  Returns when the next is to be
 * called at the latest.
 */
static TimestampTz
step_all(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = DT_NOEND;
	ListCell *cell;

	foreach(cell, sync_perform_driven_list())
	{
		SyncDriven *driven = lfirst(cell);

		if (driven->next != DRIVEN_STEP)
			continue;
		step(driven);
		if (driven->next == DRIVEN_STEP && driven->deadline <= now)
			fail(driven,
				 psprintf("the task took longer than " INT64_FORMAT " ms",
						  driven->timeout_ms));
		next = Min(next, Min(driven->step_at, driven->deadline));
	}
	return next;
}

/*
 * Let a task go on as far as it can.  What it raises is its own error.
 */
static void
step(SyncDriven *driven)
{
	MemoryContext caller = MemoryContextSwitchTo(driven->context);
	ResourceOwner former = CurrentResourceOwner;
	int64 wait_ms = -1;

	if (owner == NULL)
		owner = ResourceOwnerCreate(NULL, "sync steps");
	CurrentResourceOwner = owner;
	/* a cancel waits until all have been stepped */
	HOLD_CANCEL_INTERRUPTS();
	PG_TRY();
	{
		switch (driven->driver->step(driven->state, &wait_ms))
		{
			case SYNC_DRIVE_WAIT:
				driven->step_at =
					wait_ms < 0
						? DT_NOEND
						: TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  wait_ms);
				break;
			case SYNC_DRIVE_STORE:
				driven->next = DRIVEN_STORE;
				break;
			case SYNC_DRIVE_DONE:
				driven->next = DRIVEN_FINISH;
		}
		RESUME_CANCEL_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(driven->context);
		driven->error = CopyErrorData();
		FlushErrorState();
		sync_perform_foresee(driven->task, driven->error);
		driven->next = DRIVEN_FINISH;
		CurrentResourceOwner = former;
		release_owner();
	}
	PG_END_TRY();
	CurrentResourceOwner = former;
	MemoryContextSwitchTo(caller);
}

/*
 * Give back what a step has left that raised.
 */
static void
release_owner(void)
{
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, false, true);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, true);
	ResourceOwnerDelete(owner);
	owner = NULL;
}

/*
 * End the tasks that somebody has cancelled.
 */
static void
give_up_cancelled(void)
{
	int64 queue_id;
	ListCell *cell;

	while (sync_shmem_driven_next_cancelled(&queue_id))
		foreach(cell, sync_perform_driven_list())
		{
			SyncDriven *driven = lfirst(cell);

			if (driven->task->queue_id != queue_id)
				continue;
			if (driven->next == DRIVEN_BEGIN)
				driven->started_at = GetCurrentTimestamp();
			driven->cancelled = true;
			fail(driven, "the task was cancelled");
		}
}

/*
 * End a task as one that was stopped.
 */
static void
fail(SyncDriven *driven, const char *message)
{
	MemoryContext caller = MemoryContextSwitchTo(driven->context);

	driven->error = palloc0(sizeof(ErrorData));
	driven->error->sqlerrcode = ERRCODE_QUERY_CANCELED;
	driven->error->message = pstrdup(message);
	driven->next = DRIVEN_FINISH;
	MemoryContextSwitchTo(caller);
}
