/*-------------------------------------------------------------------------
 *
 * stage_convert.c
 *	  Rows that are converted one by one, so that one of them may fail.
 *
 * They are taken in chunks.  Where rows may be put aside, a chunk is converted
 * in a subtransaction; at a row that fails, what was converted before it is
 * kept, and the rest goes on in another one.  Good rows cost a thousandth of a
 * subtransaction each, a bad one costs one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "kit/kit_attempt.h"
#include "stage/stage_convert.h"

#define CHUNK_ROWS	1024
#define CHUNK_BYTES (1024 * 1024)

struct SyncConverter
{
	SyncReading *reading;
	SyncRawRows source;
	MemoryContext contexts[2]; /* a row stays valid while the next is made */
	MemoryContext scratch;	   /* for an error and the row that it is of */
	int turn;
	SyncRaw *raws[CHUNK_ROWS];
	SyncRow rows[2][CHUNK_ROWS];
	Datum *values[2]; /* of all rows of a chunk */
	bool *nulls[2];
	int nraws;
	int at; /* the row that is being converted */
	int nrows;
	int given;	/* rows that were handed out */
	int column; /* at work, -1: none */
	bool done;
};

static bool convert_chunk(SyncConverter *converter);
static bool take_chunk(SyncConverter *converter);
static void attempt_rest(SyncConverter *converter);
static void convert_rest(void *converter);
static void put_aside(SyncConverter *converter, ErrorData *error);
static void locate_row(void *converter);

/*
 * Prepare to convert the rows of "source".
 */
SyncConverter *
sync_stage_convert_start(SyncReading *reading, SyncRawRows source)
{
	SyncConverter *converter = palloc0(sizeof(SyncConverter));
	int ncolumns = reading->desc->natts;

	converter->reading = reading;
	converter->source = source;
	converter->column = -1;
	converter->scratch = AllocSetContextCreate(CurrentMemoryContext,
											   "sync row put aside",
											   ALLOCSET_DEFAULT_SIZES);
	for (int turn = 0; turn < lengthof(converter->contexts); turn++)
	{
		converter->contexts[turn] =
			AllocSetContextCreate(CurrentMemoryContext,
								  "sync rows converted",
								  ALLOCSET_DEFAULT_SIZES);
		converter->values[turn] =
			palloc(CHUNK_ROWS * Max(ncolumns, 1) * sizeof(Datum));
		converter->nulls[turn] =
			palloc(CHUNK_ROWS * Max(ncolumns, 1) * sizeof(bool));
		for (int i = 0; i < CHUNK_ROWS; i++)
		{
			converter->rows[turn][i].values =
				converter->values[turn] + i * ncolumns;
			converter->rows[turn][i].nulls =
				converter->nulls[turn] + i * ncolumns;
		}
	}
	return converter;
}

/*
 * The next row, NULL after the last.  It is valid until the second call from
 * here.
 */
SyncRow *
sync_stage_convert_next(SyncConverter *converter)
{
	if (converter->given == converter->nrows && !convert_chunk(converter))
		return NULL;
	return &converter->rows[converter->turn][converter->given++];
}

/*
 * Convert the next rows, in place of those before the last ones.  Returns false
 * where there are no more.
 */
static bool
convert_chunk(SyncConverter *converter)
{
	int nrows = 0;

	if (converter->nrows > 0)
		converter->turn = 1 - converter->turn;
	converter->nrows = converter->given = 0;
	while (nrows == 0 && take_chunk(converter))
	{
		if (!converter->reading->rejects)
			convert_rest(converter);
		else
			while (converter->at < converter->nraws)
				attempt_rest(converter);
		nrows = converter->nrows;
	}
	return nrows > 0;
}

/*
 * Take the rows of a chunk as they come.  Returns false where there are none.
 */
static bool
take_chunk(SyncConverter *converter)
{
	MemoryContext context = converter->contexts[converter->turn];
	MemoryContext caller;

	MemoryContextReset(context);
	converter->nraws = converter->at = 0;
	caller = MemoryContextSwitchTo(context);
	while (!converter->done && converter->nraws < CHUNK_ROWS &&
		   MemoryContextMemAllocated(context, false) < CHUNK_BYTES)
	{
		SyncRaw *raw = converter->source.next(converter->source.arg);

		if (raw)
			converter->raws[converter->nraws++] = raw;
		else
			converter->done = true;
	}
	MemoryContextSwitchTo(caller);
	return converter->nraws > 0;
}

/*
 * Convert what is left of the chunk, up to a row that fails, which is put aside.
 */
static void
attempt_rest(SyncConverter *converter)
{
	MemoryContext caller = MemoryContextSwitchTo(converter->scratch);
	ErrorData *error = sync_kit_attempt(convert_rest, converter);

	if (error)
		put_aside(converter, error);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(converter->scratch);
}

/*
 * Convert what is left of the chunk.
 */
static void
convert_rest(void *arg)
{
	SyncConverter *converter = arg;
	MemoryContext caller =
		MemoryContextSwitchTo(converter->contexts[converter->turn]);
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = locate_row,
		.arg = converter,
	};

	error_context_stack = &frame;
	for (; converter->at < converter->nraws; converter->at++)
	{
		SyncRaw *raw = converter->raws[converter->at];
		SyncRow *row = &converter->rows[converter->turn][converter->nrows];

		converter->column = -1;
		converter->source
			.convert(converter->source.arg, raw, row, &converter->column);
		row->number = raw->number;
		converter->nrows++;
	}
	error_context_stack = frame.previous;
	MemoryContextSwitchTo(caller);
}

/*
 * Put the row aside that failed, and go on behind it.  Raises an error that is
 * no fault of the row.
 */
static void
put_aside(SyncConverter *converter, ErrorData *error)
{
	SyncReading *reading = converter->reading;
	SyncRaw *raw = converter->raws[converter->at];

	if (!sync_kit_is_fault_of_row(error))
		ReThrowError(error);
	reading->refused++;
	if (error->column_name == NULL && converter->column >= 0)
		error->column_name =
			NameStr(TupleDescAttr(reading->desc, converter->column)->attname);
	reading->reject_raw(reading->reject_arg,
						raw->number,
						converter->source.print(converter->source.arg, raw),
						raw->unread,
						error);
	if (converter->source.renew)
		converter->source.renew(converter->source.arg);
	converter->at++;
}

/*
 * Error context: which row, and which column of it.
 */
static void
locate_row(void *arg)
{
	SyncConverter *converter = arg;
	TupleDesc desc = converter->reading->desc;

	if (converter->column >= 0)
		errcontext("column \"%s\"",
				   NameStr(TupleDescAttr(desc, converter->column)->attname));
	converter->source.locate(converter->source.arg,
							 converter->raws[converter->at]);
}
