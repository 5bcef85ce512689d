/*-------------------------------------------------------------------------
 *
 * backfill_run.c
 *	  Walking a table by its blocks, and committing as it goes.
 *
 * Each batch is a transaction: its rows and how far the walk is.  Between two of
 * them nothing is held but a session lock, which keeps a second backfill of the
 * table away.  Rows that others move while it goes on may be passed by; they
 * are looked for at the end, and walked to once more.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "backfill/backfill.h"
#include "kit/kit_compat.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "shmem/shmem_progress.h"

/* first half of the advisory lock that two backfills exclude each other by */
#define LOCK_SPACE 0x73796E62

#define PASSES_MAX 3	   /* over the whole table */
#define BLOCK_ROWS 100	   /* where nothing is known of the table */
#define STEP_MAX   (65536) /* blocks in a batch */

/* A backfill under way */
typedef struct Walk
{
	SyncBackfill *backfill;
	SyncRun *run;
	int64 position; /* the next block */
	int64 step;		/* blocks in the next batch */
	int64 batches;
	MemoryContext scratch; /* for the batch at hand */
} Walk;

static void perform(void *walk);
static void walk_along(Walk *walk, SyncExtent *extent);
static int64 fill_batch(Walk *walk, int64 end);
static bool is_left(SyncBackfill *backfill);
static void adapt_step(Walk *walk, int64 updated);
static void rest(int64 pause_ms);
static void finish(Walk *walk);
static void exclude_others(SyncBackfill *backfill);
static void admit_others(SyncBackfill *backfill);
static void name_backfill(void *run);

/*
 * Fill a column.  The caller can commit; what it has in memory has to outlive
 * transactions.  A backfill that ends leaves a row in sync_history, also when it
 * raises: what was committed stays then.
 */
void
sync_backfill_run(SyncBackfill *backfill)
{
	SyncRun run;
	Walk walk = {.backfill = backfill, .run = &run};

	sync_backfill_check(backfill);
	sync_history_start(&run, "backfill");
	run.subject =
		psprintf("%s.%s", backfill->name, quote_identifier(backfill->column));
	run.environment = sync_guc_environment;
	run.commits = true;
	exclude_others(backfill);
	sync_shmem_progress_begin(run.operation, run.subject, false);
	sync_shmem_progress_outlive_commits();
	PG_TRY();
	{
		sync_history_guard(&run, perform, &walk);
	}
	PG_FINALLY();
	{
		sync_shmem_progress_end();
		admit_others(backfill);
	}
	PG_END_TRY();
}

/*
 * The backfill itself.
 */
static void
perform(void *arg)
{
	Walk *walk = arg;
	SyncBackfill *backfill = walk->backfill;
	SyncExtent *extent;
	bool left = true;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_backfill,
		.arg = walk->run,
	};

	PreventCommandIfReadOnly("sync_backfill()");
	walk->scratch = AllocSetContextCreate(CurrentMemoryContext,
										  "sync backfill batch",
										  ALLOCSET_DEFAULT_SIZES);
	error_context_stack = &frame;
	extent = sync_backfill_extent(backfill);
	walk->position = sync_backfill_resume(backfill, extent);
	walk->step = backfill->batch_size / BLOCK_ROWS;
	if (extent->rows > 0)
		walk->step = backfill->batch_size * extent->blocks / extent->rows;
	walk->step = Max(1, Min(walk->step, STEP_MAX));
	for (int pass = 0; left && pass < PASSES_MAX; pass++)
	{
		sync_shmem_progress_phase(SYNC_PHASE_BACKFILLING, extent->blocks, false);
		walk_along(walk, extent);
		walk->position = 0;
		left = is_left(backfill);
	}
	if (left)
		ereport(WARNING,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("some rows of table %s are not as the expression for column \"%s\" wants them",
					   backfill->name,
					   backfill->column),
				errdetail("A trigger or other sessions change them, or the expression gives another value each time."));
	finish(walk);
	error_context_stack = frame.previous;
}

/*
 * Walk to the end of the table, which is further off by now.
 */
static void
walk_along(Walk *walk, SyncExtent *extent)
{
	while (walk->position < extent->blocks)
	{
		int64 end = Min(walk->position + walk->step, extent->blocks);

		if (fill_batch(walk, end) > 0)
			rest(walk->backfill->pause_ms);
		if (walk->position >= extent->blocks)
		{
			pfree(extent->storage);
			*extent = *sync_backfill_extent(walk->backfill);
		}
	}
}

/*
 * Fill the rows of the next blocks, remember that, and commit.  Returns how many
 * rows that was.
 */
static int64
fill_batch(Walk *walk, int64 end)
{
	SyncBackfill *backfill = walk->backfill;
	MemoryContext caller;
	char *sql;
	int64 updated;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(walk->scratch);
	caller = MemoryContextSwitchTo(walk->scratch);
	/* the table may be gone, or its column */
	sync_backfill_check(backfill);
	sql = sync_backfill_compose_update(backfill, walk->position, end);
	updated = sync_kit_spi_run(sql, NULL, false, NULL, NULL);
	sync_backfill_reached(backfill, end, updated);
	sync_kit_spi_commit();
	MemoryContextSwitchTo(caller);
	walk->position = end;
	sync_shmem_progress_rows(end);
	walk->batches++;
	walk->run->updated += updated;
	adapt_step(walk, updated);
	return updated;
}

/*
 * Whether there is a row that is not right.
 */
static bool
is_left(SyncBackfill *backfill)
{
	return sync_kit_spi_run(sync_backfill_compose_left(backfill),
							NULL,
							false,
							NULL,
							NULL) > 0;
}

/*
 * Let the next batch have about as many rows as it should.
 */
static void
adapt_step(Walk *walk, int64 updated)
{
	int64 wanted = walk->backfill->batch_size;

	if (updated > wanted)
		walk->step = Max(1, walk->step * wanted / updated);
	else if (updated < wanted / 2)
		walk->step = Min(2 * walk->step, STEP_MAX);
}

/*
 * Do nothing for a while.
 */
static void
rest(int64 pause_ms)
{
	TimestampTz until =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause_ms);
	uint32 wait_event = sync_compat_wait_event("SyncBackfillPause");

	while (pause_ms > 0)
	{
		long left =
			TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			break;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left,
						 wait_event);
		ResetLatch(MyLatch);
	}
}

/*
 * Leave a row in history; it commits with the call.
 */
static void
finish(Walk *walk)
{
	sync_backfill_done(walk->backfill);
	sync_history_add_detail(walk->run,
							"batches",
							psprintf(INT64_FORMAT, walk->batches));
	(void) sync_history_succeeded(walk->run);
}

/*
 * Keep other backfills of the table away, across transactions.
 */
static void
exclude_others(SyncBackfill *backfill)
{
	if (!DatumGetBool(DirectFunctionCall2(pg_try_advisory_lock_int4,
										  Int32GetDatum(LOCK_SPACE),
										  Int32GetDatum((int32) backfill
															->relation))))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("table %s is being backfilled already", backfill->name),
				errhint("The rows of sync_backfills say how far that is."));
}

/*
 * Let them in again.
 */
static void
admit_others(SyncBackfill *backfill)
{
	(void) DirectFunctionCall2(pg_advisory_unlock_int4,
							   Int32GetDatum(LOCK_SPACE),
							   Int32GetDatum((int32) backfill->relation));
}

/*
 * Error context: what was being filled.
 */
static void
name_backfill(void *run)
{
	errcontext("while filling %s", ((SyncRun *) run)->subject);
}
