/*-------------------------------------------------------------------------
 *
 * perform_process.c
 *	  Performing tasks until none is due, transaction by transaction.
 *
 * A worker and a session do the same, but for how they end a transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "kit/kit_version.h"
#include "perform/perform.h"
#include "shmem/shmem_waits.h"
#include "shmem/shmem_workers.h"

/* a batch that takes longer is too large */
#define LONG_BATCH_MS 20

/* what is due so soon is waited for */
#define SOON_MS 20

/* a process that drives tasks leaves others so long to one that does not */
#define LEAVE_MS 20

static void process(int max_tasks);
static void wait_for_driven(TimestampTz due);
static void let_go(ErrorData *error);
static void choose_kinds(void);
static bool turn(SyncRound *round,
				 int left,
				 int limit,
				 int from,
				 void (*commit)(void));

/* the lanes of this round, and until when the others are left */
static int kinds = SYNC_LANES_ALL;
static TimestampTz leave_until = DT_NOEND;

/*
 * Perform at most "max_tasks" due tasks, in a procedure that may commit.
 */
void
sync_perform_process(int max_tasks)
{
	const char *version = sync_kit_version_installed();

	if (version && !sync_kit_version_fits(version))
		sync_kit_version_complain(ERROR, version);
	sync_shmem_lanes_use_own();
	sync_shmem_waits_use_own();
	(void) sync_shmem_workers_enter(SYNC_WORKER_SESSION);
	PG_TRY();
	{
		process(max_tasks);
	}
	PG_FINALLY();
	{
		sync_perform_drive_abandon();
		if (!sync_shmem_workers_others(MyDatabaseId))
			sync_shmem_lanes_forget(MyDatabaseId);
		sync_shmem_workers_leave();
	}
	PG_END_TRY();
}

/*
 * Perform tasks, once this session can be seen at work.
 */
static void
process(int max_tasks)
{
	SyncBatchSize size = {0};
	int done = 0;

	sync_kit_spi_procedure_begin();
	while (done < max_tasks)
	{
		SyncRound round = {.session = true};
		bool worked = sync_perform_round(&round,
										 &size,
										 max_tasks - done,
										 sync_kit_spi_procedure_commit);

		done += round.performed;
		if (round.interrupted)
			let_go(NULL);
		if (sync_perform_driven() > 0)
			wait_for_driven(worked ? 0 : sync_perform_next_round());
		else if (!worked &&
				 sync_shmem_lanes_due(MyDatabaseId, SYNC_LANES_ALL) >
					 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SOON_MS))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	sync_kit_spi_procedure_end();
}

/*
 * Wait for tasks that are driven, until "due".  Nothing is held meanwhile, so an
 * error leaves the transaction as it was.
 */
static void
wait_for_driven(TimestampTz due)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		sync_perform_drive_wait(due, true, true);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error)
		let_go(error);
}

/*
 * Let go of the tasks that are driven, and raise the error for which that is;
 * NULL: that the session was cancelled.
 */
static void
let_go(ErrorData *error)
{
	sync_perform_let_go();
	sync_kit_spi_procedure_commit();
	if (error)
		ReThrowError(error);
	QueryCancelPending = true;
	InterruptPending = true;
	CHECK_FOR_INTERRUPTS();
}

/*
 * Perform one batch, in this transaction and, where that takes more, the next;
 * "commit" ends one and begins another.  Returns whether anything was there
 * to be done.  What it allocates is gone at the end.
 */
bool
sync_perform_round(SyncRound *round,
				   SyncBatchSize *size,
				   int max,
				   void (*commit)(void))
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sync round",
												  ALLOCSET_DEFAULT_SIZES);
	volatile TimestampTz start = GetCurrentTimestamp();
	volatile int before = 0;
	bool worked = false;

	PG_TRY();
	{
		size->limit = Max(1, Min(size->limit, sync_guc_batch_size));
		MemoryContextSwitchTo(context);
		sync_perform_settle_crashed(round, commit);
		sync_perform_drive_recover();
		if (sync_perform_sweep(round))
		{
			commit();
			MemoryContextSwitchTo(context);
		}
		sync_perform_find_left(round);
		sync_perform_free(round, commit);
		MemoryContextSwitchTo(context);
		choose_kinds();
		/* what came from outside is not put at stake by what others do */
		if (sync_perform_drive_ready())
		{
			worked = turn(round, max, 0, kinds & SYNC_LANES_DRIVEN, commit);
			MemoryContextSwitchTo(context);
		}
		start = GetCurrentTimestamp();
		before = round->performed;
		if (!round->interrupted &&
			(!worked || sync_shmem_lanes_ready(MyDatabaseId, kinds, start)))
			worked |= turn(round, max - before, size->limit, kinds, commit);
		MemoryContextSwitchTo(context);
		sync_perform_free(round, commit);
	}
	PG_FINALLY();
	{
		sync_queue_release();
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
	PG_END_TRY();

	/* twice as many next time, as long as that is quick */
	if (round->collided)
		size->limit = 1;
	else if (TimestampDifferenceExceeds(start,
										GetCurrentTimestamp(),
										LONG_BATCH_MS))
		size->limit /= 2;
	else if (round->performed - before >= size->limit)
		size->limit *= 2;
	sync_shmem_workers_count(round->performed, round->failed);
	return worked;
}

/*
 * Choose the lanes that tasks are claimed from.  While it drives tasks, a process
 * leaves the others to one that does not, which is woken, for a moment: what
 * takes long would keep those waiting.
 */
static void
choose_kinds(void)
{
	TimestampTz now = GetCurrentTimestamp();

	kinds = SYNC_LANES_ALL;
	leave_until = DT_NOEND;
	if (sync_perform_driven() > 0 &&
		sync_shmem_lanes_ready(MyDatabaseId, SYNC_LANES_OTHER, now) &&
		sync_shmem_workers_wake_free(MyDatabaseId))
	{
		kinds = SYNC_LANES_DRIVEN;
		leave_until = TimestampTzPlusMilliseconds(now, LEAVE_MS);
	}
}

/*
 * Perform one batch of at most "limit" tasks from some lanes, commit it, and begin
 * or perform what it has leased.  "left" is how many tasks there may be in all,
 * with those under way.
 */
static bool
turn(SyncRound *round, int left, int limit, int from, void (*commit)(void))
{
	MemoryContext context = CurrentMemoryContext;
	bool worked;

	left -= sync_perform_driven();
	worked = sync_perform_batch(round,
								Min(left, limit),
								left,
								left > 0 ? from : SYNC_LANES_NONE);
	commit();
	MemoryContextSwitchTo(context);
	sync_perform_drive_committed();
	if (sync_perform_drive_begin(round))
	{
		worked = true;
		commit();
		MemoryContextSwitchTo(context);
		sync_perform_drive_committed();
	}
	sync_shmem_workers_set_task(round->external ? round->external->queue_id : 0,
								InvalidTransactionId);
	if (round->external)
	{
		sync_perform_external(round);
		commit();
		sync_shmem_workers_set_task(0, InvalidTransactionId);
	}
	return worked;
}

/*
 * When the next round is to begin, unless a task that is driven wants one before.
 */
TimestampTz
sync_perform_next_round(void)
{
	int wanted = kinds;

	if (sync_perform_drive_room() <= 0)
		wanted &= ~SYNC_LANES_DRIVEN;
	return Min(sync_shmem_lanes_due(MyDatabaseId, wanted), leave_until);
}
