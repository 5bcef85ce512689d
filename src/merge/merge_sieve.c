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

#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "kit/kit_attempt.h"
#include "merge/merge.h"

#define CHUNK_ROWS 1024

/* Rows to be written in a subtransaction */
typedef struct WriteAttempt
{
	SyncMerge *merge;
	SyncNamedRows *rows;
	SyncWriter write;
	SyncCounts counts; /* of this attempt alone */
} WriteAttempt;

static ErrorData *try_rows(SyncMerge *merge,
						   SyncNamedRows *rows,
						   SyncWriter write,
						   SyncCounts *counts);
static void attempt_write(void *attempt);
static bool is_fault_of_row(ErrorData *error);
static void sieve_chunk(SyncMerge *merge,
						SyncNamedRows *chunk,
						SyncWriter write,
						SyncCounts *counts);
static void rewind_rows(SyncNamedRows *rows);
static SyncNamedRows take_rows(SyncNamedRows *from, int64 count);
static void reject_row(SyncMerge *merge, SyncNamedRows *row, ErrorData *error);

/*
 * Write rows by "write", and put those aside that cannot be.  Raises an error
 * that is the fault of no row.
 */
void
sync_merge_sieve(SyncMerge *merge,
				 SyncNamedRows *rows,
				 SyncWriter write,
				 SyncCounts *counts)
{
	if (try_rows(merge, rows, write, counts) == NULL)
		return;

	rewind_rows(rows);
	for (int64 left = rows->count; left > 0; left -= CHUNK_ROWS)
	{
		SyncNamedRows chunk = take_rows(rows, Min(left, CHUNK_ROWS));

		CHECK_FOR_INTERRUPTS();
		sieve_chunk(merge, &chunk, write, counts);
		tuplestore_end(chunk.rows);
	}
}

/*
 * Try to write all of the rows.  Returns NULL where that was done, else an error
 * that is the fault of one of them.
 */
static ErrorData *
try_rows(SyncMerge *merge,
		 SyncNamedRows *rows,
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
			SyncNamedRows *chunk,
			SyncWriter write,
			SyncCounts *counts)
{
	ErrorData *error = try_rows(merge, chunk, write, counts);
	SyncNamedRows halves[2];

	if (error == NULL)
		return;
	if (chunk->count == 1)
	{
		reject_row(merge, chunk, error);
		return;
	}
	FreeErrorData(error);

	rewind_rows(chunk);
	halves[0] = take_rows(chunk, chunk->count / 2);
	halves[1] = take_rows(chunk, chunk->count - chunk->count / 2);
	for (int i = 0; i < lengthof(halves); i++)
	{
		sieve_chunk(merge, &halves[i], write, counts);
		tuplestore_end(halves[i].rows);
	}
}

/*
 * Let take_rows begin with the first row.  Statements have read the rows by
 * places of their own.
 */
static void
rewind_rows(SyncNamedRows *rows)
{
	tuplestore_select_read_pointer(rows->rows, 0);
	tuplestore_rescan(rows->rows);
}

/*
 * Copy the next rows, to be written by themselves.
 */
static SyncNamedRows
take_rows(SyncNamedRows *from, int64 count)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(from->desc, &TTSOpsMinimalTuple);
	SyncNamedRows rows = *from;

	rows.rows = tuplestore_begin_heap(false, false, work_mem);
	rows.count = 0;
	while (rows.count < count &&
		   tuplestore_gettupleslot(from->rows, true, false, slot))
	{
		tuplestore_puttupleslot(rows.rows, slot);
		rows.count++;
	}
	ExecDropSingleTupleTableSlot(slot);
	return rows;
}

/*
 * Put the only row of a chunk aside.
 */
static void
reject_row(SyncMerge *merge, SyncNamedRows *chunk, ErrorData *error)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(chunk->desc, &TTSOpsMinimalTuple);
	SyncRow row;

	rewind_rows(chunk);
	(void) tuplestore_gettupleslot(chunk->rows, true, false, slot);
	slot_getallattrs(slot);
	row.values = slot->tts_values;
	row.nulls = slot->tts_isnull;
	row.number = DatumGetInt64(slot->tts_values[chunk->desc->natts - 1]);
	merge->reject(merge->reject_arg, &row, error);
	ExecDropSingleTupleTableSlot(slot);
}
