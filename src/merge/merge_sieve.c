/*-------------------------------------------------------------------------
 *
 * merge_sieve.c
 *	  Writing rows some of which cannot be written: these are put aside one by
 *	  one, and all others are written.
 *
 * First all of them are written in one go.  Where that fails, they are written
 * in chunks, and a chunk that fails is halved until the row is found: each bad
 * row costs some ten statements, and good ones little.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "kit/kit_attempt.h"
#include "merge/merge.h"

#define CHUNK_ROWS 1024

/* Rows to be written in a subtransaction */
typedef struct WriteAttempt
{
	SyncMerge *merge;
	SyncStagedRows *rows;
	SyncWriter write;
	SyncCounts counts; /* of this attempt alone */
} WriteAttempt;

static ErrorData *try_rows(SyncMerge *merge,
						   SyncStagedRows *rows,
						   SyncWriter write,
						   SyncCounts *counts);
static void attempt_write(void *attempt);
static bool is_fault_of_row(ErrorData *error);
static void sieve_chunk(SyncMerge *merge,
						SyncStagedRows *chunk,
						SyncWriter write,
						SyncCounts *counts);
static SyncStagedRows *take_rows(SyncStagedRows *from, int64 count);

/*
 * Write rows by "write", and put those aside that cannot be.  Raises an error
 * that is the fault of no row.
 */
void
sync_merge_sieve(SyncMerge *merge,
				 SyncStagedRows *rows,
				 SyncWriter write,
				 SyncCounts *counts)
{
	MemoryContext scratch;
	MemoryContext caller;

	if (try_rows(merge, rows, write, counts) == NULL)
		return;

	scratch = AllocSetContextCreate(CurrentMemoryContext,
									"sync sieve chunk",
									ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	sync_kit_staged_rewind(rows);
	for (int64 left = rows->count; left > 0; left -= CHUNK_ROWS)
	{
		SyncStagedRows *chunk = take_rows(rows, Min(left, CHUNK_ROWS));

		CHECK_FOR_INTERRUPTS();
		sieve_chunk(merge, chunk, write, counts);
		sync_kit_staged_free(chunk);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
}

/*
 * Try to write all of the rows.  Returns NULL where that was done, else an error
 * that is the fault of one of them.
 */
static ErrorData *
try_rows(SyncMerge *merge,
		 SyncStagedRows *rows,
		 SyncWriter write,
		 SyncCounts *counts)
{
	WriteAttempt attempt = {.merge = merge, .rows = rows, .write = write};
	ErrorData *error = sync_kit_attempt(attempt_write, &attempt);

	if (error && !is_fault_of_row(error))
		ReThrowError(error);
	if (error == NULL)
	{
		counts->inserted += attempt.counts.inserted;
		counts->updated += attempt.counts.updated;
		counts->unchanged += attempt.counts.unchanged;
	}
	return error;
}

/*
 * Write what the attempt is for.
 */
static void
attempt_write(void *arg)
{
	WriteAttempt *attempt = arg;

	attempt->write(attempt->merge, attempt->rows, &attempt->counts);
}

/*
 * Whether an error tells of the values of a row: constraints, what values can
 * be, and what a trigger raises.
 */
static bool
is_fault_of_row(ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED: /* too large for an index */
			return true;
		default:
			return error->sqlerrcode == ERRCODE_RAISE_EXCEPTION;
	}
}

/*
 * Write what can be written of a chunk.
 */
static void
sieve_chunk(SyncMerge *merge,
			SyncStagedRows *chunk,
			SyncWriter write,
			SyncCounts *counts)
{
	ErrorData *error = try_rows(merge, chunk, write, counts);
	SyncStagedRows *halves[2];

	if (error == NULL)
		return;
	sync_kit_staged_rewind(chunk);
	if (chunk->count == 1)
	{
		merge->reject(merge->reject_arg, sync_kit_staged_next(chunk), error);
		return;
	}
	FreeErrorData(error);

	halves[0] = take_rows(chunk, chunk->count / 2);
	halves[1] = take_rows(chunk, chunk->count - chunk->count / 2);
	for (int i = 0; i < lengthof(halves); i++)
	{
		sieve_chunk(merge, halves[i], write, counts);
		sync_kit_staged_free(halves[i]);
	}
}

/*
 * Copy the next rows, to be written by themselves.
 */
static SyncStagedRows *
take_rows(SyncStagedRows *from, int64 count)
{
	SyncStagedRows *rows = sync_kit_staged_like(from);

	while (rows->count < count)
		sync_kit_staged_put(rows, sync_kit_staged_next(from));
	return rows;
}
