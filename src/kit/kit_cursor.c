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
	MemoryContext context; /* has all of the batch */
	SyncRow *rows;
	int count;
} RowBatch;

/* A cursor; its receiver fills the batch that is being fetched */
struct SyncCursor
{
	DestReceiver pub;
	MemoryContext context; /* where batches live */
	Portal portal;
	TupleDesc desc;
	RowBatch *fetched;	/* by the receiver */
	List *ahead;		/* RowBatch, fetched and not begun */
	RowBatch *current;	/* whose rows are handed out; NULL: none yet */
	RowBatch *previous; /* a row stays valid while the next one is read */
	int position;		/* in the current batch */
	int wanted;			/* rows to fetch next */
	int64 passed;		/* rows handed out */
	bool at_end;
	bool named; /* rows are named in the query */
};

static bool take_batch(SyncCursor *cursor);
static RowBatch *fetch_batch(SyncCursor *cursor);
static RowBatch *create_batch(SyncCursor *cursor);
static void free_batch(RowBatch *batch);
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
	cursor->context = CurrentMemoryContext;
	cursor->wanted = BATCH_ROWS_FIRST;
	cursor->named = rows != NULL;
	cursor->portal = sync_kit_spi_open(sql, rows);
	cursor->desc = cursor->portal->tupDesc;
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
 * Fetch rows ahead, as many as fit into "limit" bytes: for a caller who would
 * otherwise wait for something else.
 */
void
sync_kit_cursor_fetch_ahead(SyncCursor *cursor, Size limit)
{
	Size taken = 0;

	while (!cursor->at_end && taken < limit)
	{
		RowBatch *batch = fetch_batch(cursor);
		MemoryContext caller = MemoryContextSwitchTo(cursor->context);

		cursor->ahead = lappend(cursor->ahead, batch);
		taken += MemoryContextMemAllocated(batch->context, false);
		MemoryContextSwitchTo(caller);
	}
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

	while (cursor->current == NULL ||
		   cursor->position == cursor->current->count)
		if (!take_batch(cursor))
			return NULL;
	row = &cursor->current->rows[cursor->position++];
	row->number = ++cursor->passed;
	return row;
}

/*
 * Close a cursor.
 */
void
sync_kit_cursor_close(SyncCursor *cursor)
{
	ListCell *cell;

	sync_kit_spi_close(cursor->portal, cursor->named);
	foreach(cell, cursor->ahead)
		free_batch(lfirst(cell));
	free_batch(cursor->current);
	free_batch(cursor->previous);
	pfree(cursor);
}

/*
 * Make the next batch the current one.  Returns whether there is one, which
 * may be empty.
 */
static bool
take_batch(SyncCursor *cursor)
{
	RowBatch *next;

	if (cursor->ahead != NIL)
	{
		next = linitial(cursor->ahead);
		cursor->ahead = list_delete_first(cursor->ahead);
	}
	else if (!cursor->at_end)
		next = fetch_batch(cursor);
	else
		return false;

	free_batch(cursor->previous);
	cursor->previous = cursor->current;
	cursor->current = next;
	cursor->position = 0;
	return true;
}

/*
 * Fetch the next rows of the query.
 */
static RowBatch *
fetch_batch(SyncCursor *cursor)
{
	RowBatch *batch = create_batch(cursor);
	Size bytes;

	cursor->fetched = batch;
	(void) PortalRunFetch(cursor->portal,
						  FETCH_FORWARD,
						  cursor->wanted,
						  &cursor->pub);
	cursor->at_end = batch->count < cursor->wanted;
	if (!cursor->at_end)
	{
		bytes = MemoryContextMemAllocated(batch->context, false) / batch->count;
		cursor->wanted = Min(2 * cursor->wanted, BATCH_BYTES / Max(bytes, 1));
		cursor->wanted = Max(1, Min(cursor->wanted, BATCH_ROWS_MAX));
	}
	return batch;
}

/*
 * Make an empty batch with room for as many rows as are wanted.
 */
static RowBatch *
create_batch(SyncCursor *cursor)
{
	MemoryContext context = AllocSetContextCreate(cursor->context,
												  "sync cursor batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	RowBatch *batch = palloc(sizeof(RowBatch));
	int natts = Max(cursor->desc->natts, 1);
	Datum *values = palloc(cursor->wanted * natts * sizeof(Datum));
	bool *nulls = palloc(cursor->wanted * natts * sizeof(bool));

	batch->context = context;
	batch->count = 0;
	batch->rows = palloc(cursor->wanted * sizeof(SyncRow));
	for (int i = 0; i < cursor->wanted; i++)
	{
		batch->rows[i].values = values + i * natts;
		batch->rows[i].nulls = nulls + i * natts;
	}
	MemoryContextSwitchTo(caller);
	return batch;
}

/*
 * Free a batch; NULL is none.
 */
static void
free_batch(RowBatch *batch)
{
	if (batch)
		MemoryContextDelete(batch->context);
}

/*
 * Nothing has to be set up: the cursor knows its columns.
 */
static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

/*
 * Copy a row into the batch that is being fetched.
 */
static bool
receiver_take(TupleTableSlot *slot, DestReceiver *self)
{
	SyncCursor *cursor = (SyncCursor *) self;
	RowBatch *batch = cursor->fetched;
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
