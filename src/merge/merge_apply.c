/*-------------------------------------------------------------------------
 *
 * merge_apply.c
 *	  Writing what differs, by one statement for each kind of difference.
 *
 * Rows that are gone leave first and new ones come last, so that a new row may
 * take a value that has to be unique from an old one.  Where rows refer to
 * others of the table and that fails, it is done the other way round, so that a
 * row may refer to a new one, and none to one that is gone.
 *
 * INSERT is done without ON CONFLICT, which would cost a third of its speed.
 * Where another session has added one of the keys meanwhile, it fails, is
 * undone, and done again with ON CONFLICT.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "kit/kit_attempt.h"
#include "kit/kit_spi.h"
#include "merge/merge_compose.h"
#include "merge/merge_deferred.h"
#include "merge/merge_image.h"
#include "merge/merge_load.h"
#include "merge/merge_sieve.h"
#include "shmem/shmem_progress.h"

/* An INSERT to be attempted */
typedef struct InsertAttempt
{
	SyncMerge *merge;
	SyncStagedRows *rows;
	int64 inserted;
} InsertAttempt;

/* Writing all of a delta, to be attempted */
typedef struct ApplyAttempt
{
	SyncMerge *merge;
	SyncDelta *delta;
	SyncCounts *counts;
} ApplyAttempt;

static void write_all(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts);
static void write_and_check(SyncMerge *merge,
							SyncDelta *delta,
							SyncCounts *counts);
static void apply(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts);
static bool attempt(void (*perform)(void *attempt),
					SyncMerge *merge,
					SyncDelta *delta,
					SyncCounts *counts);
static void perform_apply(void *attempt);
static void perform_and_check(void *attempt);
static void apply_backwards(SyncMerge *merge,
							SyncDelta *delta,
							SyncCounts *counts);
static void begin_counts(SyncCounts *counts);
static void delete_rows(SyncMerge *merge,
						SyncStagedRows *rows,
						SyncCounts *counts);
static void write_rows(SyncMerge *merge,
					   SyncPhase phase,
					   SyncStagedRows *rows,
					   SyncWriter write,
					   SyncCounts *counts);
static void update_rows(SyncMerge *merge,
						SyncStagedRows *rows,
						SyncCounts *counts);
static void insert_rows(SyncMerge *merge,
						SyncStagedRows *rows,
						SyncCounts *counts);
static void attempt_insert(void *attempt);
static void insert_with_conflicts(SyncMerge *merge,
								  SyncStagedRows *rows,
								  SyncCounts *counts);

/*
 * Write a delta with the caller's rights.  "counts" says then what was written,
 * which is less than what was found where a trigger suppresses rows.
 */
void
sync_merge_apply(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	int settings = sync_merge_assume_cached(merge->target);

	if (merge->together || merge->target->deferred == NULL)
		write_all(merge, delta, counts);
	else
		write_and_check(merge, delta, counts);

	if (delta->kept && delta->kept->count > 0)
	{
		sync_shmem_progress_phase(SYNC_PHASE_REFRESHING,
								  delta->kept->count,
								  true);
		(void) sync_kit_spi_run_with(sync_merge_compose_touch(merge),
									 NULL,
									 delta->kept);
	}
	AtEOXact_GUC(true, settings);
}

/*
 * Delete the rows that are gone, or mark them, where sync_merge_apply was to
 * leave that for later.
 */
void
sync_merge_apply_gone(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	int settings = sync_merge_assume_cached(merge->target);

	merge->gone_later = false;
	delete_rows(merge, delta->deleted, counts);
	AtEOXact_GUC(true, settings);
}

/*
 * Write what differs, in an order that suits the target.
 */
static void
write_all(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	if (!merge->target->references_itself)
		apply(merge, delta, counts);
	else if (!attempt(perform_apply, merge, delta, counts))
		apply_backwards(merge, delta, counts);
}

/*
 * The same where constraints are deferred, and check them.  Rows that break one
 * of them are put aside, where that is allowed.
 */
static void
write_and_check(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	if (!merge->rejects)
	{
		write_all(merge, delta, counts);
		sync_merge_check_deferred(merge->target);
	}
	else if (!attempt(perform_and_check, merge, delta, counts))
	{
		sync_merge_check_deferred(merge->target);
		write_all(merge, delta, counts);
	}
	sync_merge_defer_again(merge->target);
}

/*
 * Write what differs.
 */
static void
apply(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	begin_counts(counts);
	delete_rows(merge, delta->deleted, counts);
	write_rows(merge, SYNC_PHASE_UPDATING, delta->updated, update_rows, counts);
	write_rows(merge,
			   SYNC_PHASE_INSERTING,
			   delta->inserted,
			   insert_rows,
			   counts);
}

/*
 * Try to, and put no row aside.  Returns whether it was done; raises where the
 * order of the statements is not to blame.
 */
static bool
attempt(void (*perform)(void *attempt),
		SyncMerge *merge,
		SyncDelta *delta,
		SyncCounts *counts)
{
	SyncMerge strict = *merge;
	SyncCounts written = *counts;
	ApplyAttempt tried = {&strict, delta, &written};
	ErrorData *error;

	strict.rejects = false;
	error = sync_kit_attempt(perform, &tried);
	if (error && !merge->rejects &&
		error->sqlerrcode != ERRCODE_FOREIGN_KEY_VIOLATION)
		ReThrowError(error);
	if (error)
		return false;
	*counts = written;
	return true;
}

/*
 * Write what the attempt is for.
 */
static void
perform_apply(void *arg)
{
	ApplyAttempt *attempt = arg;

	apply(attempt->merge, attempt->delta, attempt->counts);
}

/*
 * The same, and check what is deferred.
 */
static void
perform_and_check(void *arg)
{
	ApplyAttempt *attempt = arg;

	write_all(attempt->merge, attempt->delta, attempt->counts);
	sync_merge_check_deferred(attempt->merge->target);
}

/*
 * Write what differs, in the order that suits rows that refer to others.
 */
static void
apply_backwards(SyncMerge *merge, SyncDelta *delta, SyncCounts *counts)
{
	begin_counts(counts);
	write_rows(merge,
			   SYNC_PHASE_INSERTING,
			   delta->inserted,
			   insert_rows,
			   counts);
	write_rows(merge, SYNC_PHASE_UPDATING, delta->updated, update_rows, counts);
	delete_rows(merge, delta->deleted, counts);
}

/*
 * Nothing is written yet.
 */
static void
begin_counts(SyncCounts *counts)
{
	counts->inserted = 0;
	counts->updated = 0;
	counts->deleted = 0;
}

/*
 * Delete the rows that are gone, or mark them.
 */
static void
delete_rows(SyncMerge *merge, SyncStagedRows *rows, SyncCounts *counts)
{
	const char *from = sync_merge_update_source(merge, rows);

	if (rows->count == 0 || merge->gone_later)
		return;
	sync_shmem_progress_phase(SYNC_PHASE_DELETING, rows->count, true);
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		counts->deleted =
			sync_merge_update(merge,
							  sync_merge_compose_delete(merge, from),
							  rows);
	else
		counts->deleted =
			sync_merge_delete(merge,
							  sync_merge_compose_delete(merge, rows->name),
							  rows);
}

/*
 * Write staged rows, if there are any.
 */
static void
write_rows(SyncMerge *merge,
		   SyncPhase phase,
		   SyncStagedRows *rows,
		   SyncWriter write,
		   SyncCounts *counts)
{
	if (rows->count == 0)
		return;
	sync_shmem_progress_phase(phase, rows->count, true);
	if (merge->rejects)
		sync_merge_sieve(merge, rows, write, counts);
	else
		write(merge, rows, counts);
}

/*
 * Update the rows that differ; a SyncWriter.
 */
static void
update_rows(SyncMerge *merge, SyncStagedRows *rows, SyncCounts *counts)
{
	const char *from = sync_merge_update_source(merge, rows);

	counts->updated +=
		sync_merge_update(merge,
						  sync_merge_compose_update(merge, from, false),
						  rows);
}

/*
 * Add the new rows; a SyncWriter.
 */
static void
insert_rows(SyncMerge *merge, SyncStagedRows *rows, SyncCounts *counts)
{
	InsertAttempt attempt = {.merge = merge, .rows = rows};
	ErrorData *error = sync_kit_attempt(attempt_insert, &attempt);

	if (error == NULL)
		counts->inserted += attempt.inserted;
	else if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && merge->nkeys > 0)
		insert_with_conflicts(merge, rows, counts);
	else
		ReThrowError(error);
}

/*
 * Add the new rows, none of which should be there.
 */
static void
attempt_insert(void *arg)
{
	InsertAttempt *attempt = arg;

	attempt->inserted =
		sync_merge_can_load(attempt->merge)
			? sync_merge_load(attempt->merge, attempt->rows)
			: sync_merge_insert(attempt->merge,
								sync_merge_compose_insert(attempt->merge, false),
								attempt->rows);
}

/*
 * Add new rows some of which are there by now.  These are made right first, so
 * that each row is counted as what it was.
 */
static void
insert_with_conflicts(SyncMerge *merge, SyncStagedRows *rows, SyncCounts *counts)
{
	char *update =
		sync_merge_compose_update(merge,
								  sync_merge_update_source(merge, rows),
								  true);
	int64 updated = update ? sync_merge_update(merge, update, rows) : 0;
	int64 inserted =
		sync_merge_insert(merge, sync_merge_compose_insert(merge, true), rows);

	/* those that came between the two */
	if (update && merge->keep)
		updated += sync_merge_update(merge, update, rows);
	counts->updated += updated;
	counts->inserted += inserted;
	counts->unchanged += rows->count - updated - inserted;
}
