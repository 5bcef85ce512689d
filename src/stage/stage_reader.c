/*-------------------------------------------------------------------------
 *
 * stage_reader.c
 *	  The ordered reader: the rows of a source by their key, each key once.
 *
 * That the rows are in order is seen anew with each row, whoever sorted them:
 * the merge relies on it, and rows with one key are found by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "kit/kit_order.h"
#include "kit/kit_print.h"
#include "shmem/shmem_progress.h"
#include "stage/stage_records.h"

#define ROWS_A_REPORT 1024

/* Where rows come from, each valid until the second call of "next" from there */
typedef struct RowOrigin
{
	SyncRowNext next;
	double (*expected)(void *arg);
	void (*end)(void *arg);
	void *arg;
} RowOrigin;

/* Reads a source */
struct SyncReader
{
	SyncSource *source;
	SyncReading *reading;
	SyncKeyOrder *order;   /* NULL: in any order */
	RowOrigin origin;	   /* the source itself */
	RowOrigin sorted;	   /* it, or what sorts it */
	SyncRow *ahead;		   /* read, and not handed out */
	MemoryContext scratch; /* for the row that is set aside */
	bool started;
	bool answered;	  /* the row ahead says that one is gone that is there */
	int64 passed;	  /* rows that came from the source */
	int64 rows;		  /* rows that were looked at */
	int64 superseded; /* rows that another one with their key replaced */
};

static SyncRow *next_of_origin(void *reader);
static SyncRow *read_ahead(SyncReader *reader);
static bool is_set_aside(SyncReader *reader, SyncRow *row);
static const char *null_in_key(SyncReader *reader, SyncRow *row);
static void reject_null(SyncReader *reader, SyncRow *row, const char *column);
static void settle_duplicate(SyncReader *reader, SyncRow *row);
static void report_disorder(SyncReader *reader, SyncRow *row, SyncRow *next);
static void name_row(void *reader);

/*
 * Begin to read.  Another server starts its work; nothing is waited for.
 */
SyncReader *
sync_stage_read(SyncSource *source, SyncReading *reading)
{
	SyncReader *reader = palloc0(sizeof(SyncReader));
	bool ordered = true;

	reader->source = source;
	reader->reading = reading;
	if (source->records)
	{
		reader->origin.next = sync_stage_record_next;
		reader->origin.expected = sync_stage_record_expected;
		reader->origin.end = sync_stage_record_end;
		reader->origin.arg = sync_stage_record_start(source, reading);
		ordered = false;
	}
	else if (source->remote)
	{
		reader->origin.next = sync_stage_server_next;
		reader->origin.expected = sync_stage_server_expected;
		reader->origin.end = sync_stage_server_end;
		reader->origin.arg = sync_stage_server_start(source, reading, &ordered);
	}
	else
	{
		reader->origin.next = sync_stage_query_next;
		reader->origin.expected = sync_stage_query_expected;
		reader->origin.end = sync_stage_query_end;
		reader->origin.arg = sync_stage_query_start(source, reading, &ordered);
	}
	reader->sorted = reader->origin;
	reader->sorted.next = next_of_origin;
	reader->sorted.arg = reader;
	if (reading->nkeys == 0)
		return reader;

	reader->order = sync_kit_order_create(reading->desc, reading->nkeys);
	reader->scratch = AllocSetContextCreate(CurrentMemoryContext,
											"sync row set aside",
											ALLOCSET_SMALL_SIZES);
	if (!ordered)
	{
		reader->sorted.next = sync_stage_sort_next;
		reader->sorted.end = sync_stage_sort_end;
		reader->sorted.arg =
			sync_stage_sort_start(reading,
								  next_of_origin,
								  reader,
								  source->records ? reading->order_by : NIL);
	}
	return reader;
}

/*
 * The next row, NULL after the last; a SyncRowNext.  It is valid until the next
 * call.
 */
SyncRow *
sync_stage_next(void *arg)
{
	SyncReader *reader = arg;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_row,
		.arg = reader,
	};
	SyncRow *row;

	CHECK_FOR_INTERRUPTS();
	error_context_stack = &frame;
	if (!reader->started)
		reader->ahead = read_ahead(reader);
	reader->started = true;

	while ((row = reader->ahead) != NULL)
	{
		reader->ahead = read_ahead(reader);
		if (reader->order == NULL || !is_set_aside(reader, row))
			break;
	}
	error_context_stack = frame.previous;
	return row;
}

/*
 * How many rows may come: an estimate, which may be wrong by far.
 */
double
sync_stage_expected(SyncReader *reader)
{
	return reader->origin.expected(reader->origin.arg);
}

/*
 * Stop reading, at the end or before it.
 */
void
sync_stage_read_end(SyncReader *reader)
{
	if (reader->sorted.arg != reader)
		reader->sorted.end(reader->sorted.arg);
	reader->origin.end(reader->origin.arg);
}

/*
 * How many rows were read so far.
 */
int64
sync_stage_rows(SyncReader *reader)
{
	return reader->rows + reader->reading->refused;
}

/*
 * How many of them were passed over for another one with their key, and not
 * put aside.
 */
int64
sync_stage_superseded(SyncReader *reader)
{
	return reader->superseded;
}

/*
 * Make two rows of that many columns, living in the current memory context.
 */
void
sync_stage_turns_init(SyncRowTurns *turns, int ncolumns)
{
	for (int i = 0; i < lengthof(turns->rows); i++)
	{
		turns->rows[i].values = palloc0(ncolumns * sizeof(Datum));
		turns->rows[i].nulls = palloc0(ncolumns * sizeof(bool));
		turns->contexts[i] = AllocSetContextCreate(CurrentMemoryContext,
												   "sync row",
												   ALLOCSET_DEFAULT_SIZES);
	}
	turns->turn = 0;
}

/*
 * The row whose turn it is, to be filled; what it points to is to be
 * allocated in the context of the same turn.
 */
SyncRow *
sync_stage_turn(SyncRowTurns *turns)
{
	turns->turn = 1 - turns->turn;
	MemoryContextReset(turns->contexts[turns->turn]);
	return &turns->rows[turns->turn];
}

/*
 * The next row of the source, and now and then a word of how many there were;
 * a SyncRowNext.
 */
static SyncRow *
next_of_origin(void *arg)
{
	SyncReader *reader = arg;
	SyncRow *row = reader->origin.next(reader->origin.arg);

	if (row == NULL || ++reader->passed % ROWS_A_REPORT == 0)
	{
		sync_shmem_progress_rows(reader->passed);
		sync_shmem_progress_bytes(sync_stage_bytes(reader->source));
	}
	return row;
}

/*
 * Read the next row, NULL after the last.
 */
static SyncRow *
read_ahead(SyncReader *reader)
{
	SyncRow *row = reader->sorted.next(reader->sorted.arg);

	if (row == NULL)
		return NULL;
	reader->rows++;
	if (reader->reading->seen)
		reader->reading->seen(reader->reading->seen_arg, row);
	return row;
}

/*
 * See whether "row" is one to be passed over, now that the row after it is
 * known, and if so, settle what becomes of it.
 */
static bool
is_set_aside(SyncReader *reader, SyncRow *row)
{
	const char *column = null_in_key(reader, row);
	bool answered = reader->answered && SYNC_ROW_IS_GONE(row);
	MemoryContext caller;
	int sign;

	reader->answered = false;
	if (column == NULL)
	{
		if (reader->ahead == NULL)
			return answered;
		sign = sync_kit_order_compare(reader->order, row, reader->ahead);
		if (sign < 0)
			return answered;
		if (sign > 0)
			report_disorder(reader, row, reader->ahead);
		if (SYNC_ROW_IS_GONE(row) || SYNC_ROW_IS_GONE(reader->ahead))
		{
			reader->answered = answered || !SYNC_ROW_IS_GONE(row);
			return SYNC_ROW_IS_GONE(row);
		}
	}

	caller = MemoryContextSwitchTo(reader->scratch);
	if (column)
		reject_null(reader, row, column);
	else
		settle_duplicate(reader, row);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(reader->scratch);
	return true;
}

/*
 * The name of the first column of the key that is NULL, NULL where none is.
 */
static const char *
null_in_key(SyncReader *reader, SyncRow *row)
{
	for (int i = 0; i < reader->reading->nkeys; i++)
		if (row->nulls[i])
			return NameStr(TupleDescAttr(reader->reading->desc, i)->attname);
	return NULL;
}

/*
 * Put a row aside that cannot be told from others.
 */
static void
reject_null(SyncReader *reader, SyncRow *row, const char *column)
{
	ErrorData error = {
		.elevel = ERROR,
		.sqlerrcode = ERRCODE_NOT_NULL_VIOLATION,
		.message =
			psprintf("null value in key column \"%s\" of the source", column),
		.hint =
			"Leave such rows out in the query, or let them be put aside: max_rejects says how many.",
		.column_name = unconstify(char *, column),
	};

	reader->reading->reject(reader->reading->reject_arg, row, &error);
}

/*
 * Settle what becomes of "row", which another one with its key follows.
 */
static void
settle_duplicate(SyncReader *reader, SyncRow *row)
{
	SyncReading *reading = reader->reading;
	ErrorData error = {
		.elevel = ERROR,
		.sqlerrcode = ERRCODE_CARDINALITY_VIOLATION,
		.message = "several rows of the source have one key",
		.hint =
			"Let the last one be taken with duplicates => 'last' and order_by, or let the others be put aside with duplicates => 'reject' and max_rejects.",
	};

	if (reading->duplicates == SYNC_DUPLICATES_LAST)
	{
		reader->superseded++;
		return;
	}
	error.detail =
		psprintf("The key is %s.",
				 sync_kit_print_key(reading->desc, reading->nkeys, row));
	if (reading->duplicates == SYNC_DUPLICATES_FAIL)
		ThrowErrorData(&error);
	reading->reject(reading->reject_arg, row, &error);
}

/*
 * Raise that a source that was asked to sort did not.
 */
static void
report_disorder(SyncReader *reader, SyncRow *row, SyncRow *next)
{
	SyncReading *reading = reader->reading;

	ereport(ERROR,
			errcode(ERRCODE_DATA_EXCEPTION),
			errmsg("the rows of the source are not in the order of the key"),
			errdetail("Key %s comes before %s.",
					  sync_kit_print_key(reading->desc, reading->nkeys, row),
					  sync_kit_print_key(reading->desc, reading->nkeys, next)),
			errhint("The types of the key columns might order their values differently on the two servers."));
}

/*
 * Error context: how far the source was read.
 */
static void
name_row(void *arg)
{
	SyncReader *reader = arg;

	errcontext("while reading the source, after row " INT64_FORMAT,
			   reader->rows);
}
