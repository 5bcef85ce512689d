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
 * A row may refer to another one of the table that comes in a later chunk.  It
 * is tried again after the others, as long as that helps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "kit/kit_attempt.h"
#include "merge/merge_sieve.h"
#include "shmem/shmem_progress.h"

#define CHUNK_ROWS 1024

/* Rows to be written in a subtransaction */
typedef struct WriteAttempt
{
	SyncMerge *merge;
	SyncStagedRows *rows;
	SyncWriter write;
	SyncCounts counts; /* of this attempt alone */
} WriteAttempt;

/* A sieve at work */
typedef struct Sieve
{
	SyncMerge *merge;
	SyncWriter write;
	SyncCounts *counts;
	SyncStagedRows *later; /* rows to be tried again; NULL: none is */
} Sieve;

static void sieve_rows(Sieve *sieve, SyncStagedRows *rows);
static void sieve_again(Sieve *sieve, SyncStagedRows *rows);
static ErrorData *try_rows(Sieve *sieve, SyncStagedRows *rows);
static void attempt_write(void *attempt);
static void sieve_chunk(Sieve *sieve, SyncStagedRows *chunk);
static void put_aside(Sieve *sieve, SyncRow *row, ErrorData *error);
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
	Sieve sieve = {.merge = merge, .write = write, .counts = counts};

	if (try_rows(&sieve, rows) == NULL)
		return;
	if (merge->target->references_itself)
		sieve_again(&sieve, rows);
	else
		sieve_rows(&sieve, rows);
}

/*
 * Write what can be written of rows that cannot be written in one go.
 */
static void
sieve_rows(Sieve *sieve, SyncStagedRows *rows)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "sync sieve chunk",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);

	sync_kit_staged_rewind(rows);
	for (int64 left = rows->count; left > 0; left -= CHUNK_ROWS)
	{
		SyncStagedRows *chunk = take_rows(rows, Min(left, CHUNK_ROWS));

		CHECK_FOR_INTERRUPTS();
		sieve_chunk(sieve, chunk);
		sync_kit_staged_free(chunk);
		MemoryContextReset(scratch);
		sync_shmem_progress_rows(rows->count - Max(left - CHUNK_ROWS, 0));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
}

/*
 * The same, again and again with those that refer to rows that are not there,
 * until that helps no more.
 */
static void
sieve_again(Sieve *sieve, SyncStagedRows *rows)
{
	SyncStagedRows *tried = rows;
	bool helps = true;

	while (tried)
	{
		SyncStagedRows *later = helps ? sync_kit_staged_like(rows) : NULL;

		sieve->later = later;
		sieve_rows(sieve, tried);
		helps = later && later->count < tried->count;
		if (tried != rows)
			sync_kit_staged_free(tried);
		tried = later;
	}
}

/*
 * Try to write all of the rows.  Returns NULL where that was done, else an error
 * that is the fault of one of them.
 */
static ErrorData *
try_rows(Sieve *sieve, SyncStagedRows *rows)
{
	WriteAttempt attempt = {
		.merge = sieve->merge,
		.rows = rows,
		.write = sieve->write,
	};
	ErrorData *error = sync_kit_attempt(attempt_write, &attempt);

	if (error && !sync_kit_is_fault_of_row(error))
		ReThrowError(error);
	if (error == NULL)
	{
		sieve->counts->inserted += attempt.counts.inserted;
		sieve->counts->updated += attempt.counts.updated;
		sieve->counts->unchanged += attempt.counts.unchanged;
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
 * Write what can be written of a chunk.
 */
static void
sieve_chunk(Sieve *sieve, SyncStagedRows *chunk)
{
	ErrorData *error = try_rows(sieve, chunk);
	SyncStagedRows *halves[2];

	if (error == NULL)
		return;
	sync_kit_staged_rewind(chunk);
	if (chunk->count == 1)
	{
		put_aside(sieve, sync_kit_staged_next(chunk), error);
		return;
	}
	FreeErrorData(error);

	halves[0] = take_rows(chunk, chunk->count / 2);
	halves[1] = take_rows(chunk, chunk->count - chunk->count / 2);
	for (int i = 0; i < lengthof(halves); i++)
	{
		sieve_chunk(sieve, halves[i]);
		sync_kit_staged_free(halves[i]);
	}
}

/*
 * Put a row aside for good, or until the others are written.
 */
static void
put_aside(Sieve *sieve, SyncRow *row, ErrorData *error)
{
	if (sieve->later && error->sqlerrcode == ERRCODE_FOREIGN_KEY_VIOLATION)
		sync_kit_staged_put(sieve->later, row);
	else
		sieve->merge->reject(sieve->merge->reject_arg, row, error);
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
