/*-------------------------------------------------------------------------
 *
 * kit_cursor.c
 *	  Reading a query of this database row by row.
 *
 * Rows are fetched in batches, since each fetch starts and stops the executor.
 * A batch holds the rows as Datums, ready to be looked at; how many rows the
 * next one takes follows from the size of those in the last, so that memory
 * stays small however wide a row is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/plannodes.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "kit/kit_cursor.h"
#include "kit/kit_spi.h"

#define BATCH_ROWS_FIRST 16
#define BATCH_ROWS_MAX	 1024
#define BATCH_BYTES		 (256 * 1024)

/* Rows that were fetched in one go */
typedef struct RowBatch
{
	MemoryContext context; /* what the Datums point to */
	SyncRow rows[BATCH_ROWS_MAX];
	int count;
} RowBatch;

/* A cursor; its receiver fills the current batch */
struct SyncCursor
{
	DestReceiver pub;
	Portal portal;
	TupleDesc desc;
	RowBatch batches[2]; /* a row stays valid while the next one is read */
	int current;
	int position; /* in the current batch */
	int wanted;	  /* rows to fetch next */
	int64 passed; /* rows handed out */
	bool at_end;
	bool named; /* rows are named in the query */
};

static void fetch_batch(SyncCursor *cursor);
static void receiver_startup(DestReceiver *self, int operation, TupleDesc desc);
static bool receiver_take(TupleTableSlot *slot, DestReceiver *self);
static void receiver_shutdown(DestReceiver *self);
static void receiver_destroy(DestReceiver *self);

/*
 * Open a cursor over a query, with the caller's rights and the active
 * snapshot; "rows" (NULL: none) may be named in it.  It lives in the current
 * memory context until sync_kit_cursor_close or the end of the
 * (sub)transaction.
 */
SyncCursor *
sync_kit_cursor_open(const char *sql, SyncStagedRows *rows)
{
	SyncCursor *cursor = palloc0(sizeof(SyncCursor));

	cursor->pub.receiveSlot = receiver_take;
	cursor->pub.rStartup = receiver_startup;
	cursor->pub.rShutdown = receiver_shutdown;
	cursor->pub.rDestroy = receiver_destroy;
	cursor->pub.mydest = DestTuplestore;
	cursor->wanted = BATCH_ROWS_FIRST;
	cursor->named = rows != NULL;
	cursor->portal = sync_kit_spi_open(sql, rows);
	cursor->desc = cursor->portal->tupDesc;

	for (int i = 0; i < lengthof(cursor->batches); i++)
	{
		RowBatch *batch = &cursor->batches[i];
		int natts = cursor->desc->natts;
		Datum *values = palloc(BATCH_ROWS_MAX * Max(natts, 1) * sizeof(Datum));
		bool *nulls = palloc(BATCH_ROWS_MAX * Max(natts, 1) * sizeof(bool));

		batch->context = GenerationContextCreate(CurrentMemoryContext,
												 "sync cursor batch",
												 ALLOCSET_DEFAULT_SIZES);
		for (int row = 0; row < BATCH_ROWS_MAX; row++)
		{
			batch->rows[row].values = values + row * natts;
			batch->rows[row].nulls = nulls + row * natts;
		}
	}
	return cursor;
}

/*
 * How many rows the planner expects.
 */
double
sync_kit_cursor_expected(SyncCursor *cursor)
{
	return linitial_node(PlannedStmt, cursor->portal->stmts)
		->planTree->plan_rows;
}

/*
 * The next row, NULL after the last; a SyncRowNext.  The row is valid until
 * the second call from here.
 */
SyncRow *
sync_kit_cursor_next(void *arg)
{
	SyncCursor *cursor = arg;
	SyncRow *row;

	if (cursor->position == cursor->batches[cursor->current].count)
	{
		if (cursor->at_end)
			return NULL;
		fetch_batch(cursor);
		if (cursor->batches[cursor->current].count == 0)
			return NULL;
	}
	row = &cursor->batches[cursor->current].rows[cursor->position++];
	row->number = ++cursor->passed;
	return row;
}

/*
 * Close a cursor.
 */
void
sync_kit_cursor_close(SyncCursor *cursor)
{
	sync_kit_spi_close(cursor->portal, cursor->named);
	for (int i = 0; i < lengthof(cursor->batches); i++)
		MemoryContextDelete(cursor->batches[i].context);
	pfree(cursor);
}

/*
 * Fill the batch that is not current, and make it current.
 */
static void
fetch_batch(SyncCursor *cursor)
{
	RowBatch *batch;
	Size bytes;

	cursor->current = 1 - cursor->current;
	cursor->position = 0;
	batch = &cursor->batches[cursor->current];
	batch->count = 0;
	MemoryContextReset(batch->context);

	(void) PortalRunFetch(cursor->portal,
						  FETCH_FORWARD,
						  cursor->wanted,
						  &cursor->pub);
	if (batch->count < cursor->wanted)
	{
		cursor->at_end = true;
		return;
	}
	bytes = MemoryContextMemAllocated(batch->context, false) / batch->count;
	cursor->wanted = Min(2 * cursor->wanted, BATCH_BYTES / Max(bytes, 1));
	cursor->wanted = Max(1, Min(cursor->wanted, BATCH_ROWS_MAX));
}

/*
 * Nothing has to be set up: the cursor knows its columns.
 */
static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

/*
 * Copy a row into the current batch.
 */
static bool
receiver_take(TupleTableSlot *slot, DestReceiver *self)
{
	SyncCursor *cursor = (SyncCursor *) self;
	RowBatch *batch = &cursor->batches[cursor->current];
	SyncRow *row = &batch->rows[batch->count++];
	MemoryContext executor = MemoryContextSwitchTo(batch->context);

	slot_getallattrs(slot);
	for (int i = 0; i < cursor->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(cursor->desc, i);

		row->nulls[i] = slot->tts_isnull[i];
		if (!row->nulls[i])
			row->values[i] =
				datumCopy(slot->tts_values[i], column->attbyval, column->attlen);
	}
	MemoryContextSwitchTo(executor);
	return true;
}

/*
 * Keep everything between two fetches.
 */
static void
receiver_shutdown(DestReceiver *self)
{
}

/*
 * The receiver is part of the cursor: nothing to free.
 */
static void
receiver_destroy(DestReceiver *self)
{
}
