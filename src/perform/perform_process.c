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

static void process(int max_tasks);

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

		if (!sync_perform_round(&round,
								&size,
								max_tasks - done,
								sync_kit_spi_procedure_commit) &&
			sync_shmem_lanes_due(MyDatabaseId) >
				TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SOON_MS))
			break;
		done += round.performed;
		CHECK_FOR_INTERRUPTS();
	}
	sync_kit_spi_procedure_end();
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
	bool worked = false;

	PG_TRY();
	{
		size->limit = Max(1, Min(size->limit, sync_guc_batch_size));
		MemoryContextSwitchTo(context);
		sync_perform_settle_crashed(round, commit);
		if (sync_perform_sweep(round))
		{
			commit();
			MemoryContextSwitchTo(context);
		}
		sync_perform_find_left(round);
		sync_perform_free(round, commit);
		MemoryContextSwitchTo(context);
		start = GetCurrentTimestamp();
		worked = sync_perform_batch(round, Min(max, size->limit));
		commit();
		sync_shmem_workers_set_task(round->external ? round->external->queue_id
													: 0,
									InvalidTransactionId);
		if (round->external)
		{
			MemoryContextSwitchTo(context);
			sync_perform_external(round);
			commit();
			sync_shmem_workers_set_task(0, InvalidTransactionId);
		}
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
	if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), LONG_BATCH_MS))
		size->limit /= 2;
	else if (round->performed >= size->limit)
		size->limit *= 2;
	sync_shmem_workers_count(round->performed, round->failed);
	return worked;
}
