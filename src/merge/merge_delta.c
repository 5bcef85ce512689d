/*-------------------------------------------------------------------------
 *
 * merge_delta.c
 *	  What differs, staged: rows in memory, or in temporary files where they
 *	  are many.
 *
 * Nothing of it is logged and no catalog knows it; statements name it as
 * triggers name their transition tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "merge/merge.h"

static void begin_rows(SyncNamedRows *rows, const char *name, TupleDesc desc);
static TupleDesc whole_row(SyncMerge *merge);
static TupleDesc key_of_row(SyncMerge *merge);
static void put_row(SyncDelta *delta,
					SyncNamedRows *rows,
					SyncRow *row,
					bool numbered);

/*
 * Make an empty delta, living in the current memory context.
 */
SyncDelta *
sync_merge_delta_create(SyncMerge *merge)
{
	SyncDelta *delta = palloc0(sizeof(SyncDelta));
	TupleDesc row = whole_row(merge);
	TupleDesc key = key_of_row(merge);

	begin_rows(&delta->inserted, "sync_inserted", row);
	begin_rows(&delta->updated, "sync_updated", row);
	begin_rows(&delta->kept, "sync_kept", key);
	begin_rows(&delta->deleted, "sync_deleted", key);
	delta->keeps = merge->synced_at && merge->synced_at_all;
	delta->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "sync delta row",
										   ALLOCSET_DEFAULT_SIZES);
	return delta;
}

/*
 * Stage what has to be written for one key; a SyncActionSink.
 */
bool
sync_merge_delta_put(void *arg,
					 SyncAction action,
					 SyncRow *before,
					 SyncRow *after)
{
	SyncDelta *delta = arg;

	switch (action)
	{
		case SYNC_ACTION_INSERT:
			put_row(delta, &delta->inserted, after, true);
			break;
		case SYNC_ACTION_UPDATE:
			put_row(delta, &delta->updated, after, true);
			break;
		case SYNC_ACTION_KEEP:
			if (delta->keeps)
				put_row(delta, &delta->kept, before, false);
			break;
		case SYNC_ACTION_DELETE:
			put_row(delta, &delta->deleted, before, false);
			break;
	}
	return true;
}

/*
 * Free a delta and its files.
 */
void
sync_merge_delta_free(SyncDelta *delta)
{
	tuplestore_end(delta->inserted.rows);
	tuplestore_end(delta->updated.rows);
	tuplestore_end(delta->kept.rows);
	tuplestore_end(delta->deleted.rows);
	MemoryContextDelete(delta->scratch);
	pfree(delta);
}

/*
 * Begin a relation of the delta.
 */
static void
begin_rows(SyncNamedRows *rows, const char *name, TupleDesc desc)
{
	rows->name = name;
	rows->desc = desc;
	rows->rows = tuplestore_begin_heap(false, false, work_mem);
	rows->count = 0;
}

/*
 * The columns of a row that is written, and one for the number of the row.
 */
static TupleDesc
whole_row(SyncMerge *merge)
{
	TupleDesc desc = CreateTemplateTupleDesc(merge->desc->natts + 1);

	for (int i = 1; i <= merge->desc->natts; i++)
		TupleDescCopyEntry(desc, i, merge->desc, i);
	/* a name that no column of a user will have */
	TupleDescInitEntry(desc, desc->natts, "sync_ext row", INT8OID, -1, 0);
	return desc;
}

/*
 * The columns of the key.
 */
static TupleDesc
key_of_row(SyncMerge *merge)
{
	TupleDesc desc = CreateTemplateTupleDesc(merge->nkeys);

	for (int i = 1; i <= merge->nkeys; i++)
		TupleDescCopyEntry(desc, i, merge->desc, i);
	return desc;
}

/*
 * Stage a row: the columns of the relation, and where it is "numbered", the
 * number of the row in the last one.  A value that lies out of line is fetched:
 * nothing keeps it there once its cursor is closed.
 */
static void
put_row(SyncDelta *delta, SyncNamedRows *rows, SyncRow *row, bool numbered)
{
	int natts = rows->desc->natts;
	int ncolumns = numbered ? natts - 1 : natts;
	MemoryContext caller = MemoryContextSwitchTo(delta->scratch);
	Datum *values = palloc(natts * sizeof(Datum));
	bool *nulls = palloc(natts * sizeof(bool));

	for (int i = 0; i < ncolumns; i++)
	{
		values[i] = row->values[i];
		nulls[i] = row->nulls[i];
		if (!nulls[i] && TupleDescAttr(rows->desc, i)->attlen == -1 &&
			VARATT_IS_EXTERNAL(DatumGetPointer(values[i])))
			values[i] =
				PointerGetDatum(detoast_external_attr((struct varlena *)
														  DatumGetPointer(values
																			  [i])));
	}
	if (numbered)
	{
		values[ncolumns] = Int64GetDatum(row->number);
		nulls[ncolumns] = false;
	}
	MemoryContextSwitchTo(caller);
	tuplestore_putvalues(rows->rows, rows->desc, values, nulls);
	rows->count++;
	MemoryContextReset(delta->scratch);
}
