/*-------------------------------------------------------------------------
 *
 * kit_staged.c
 *	  Rows that are kept aside for a statement, or for a second look.
 *
 * Nothing of them is logged and no catalog knows them; statements name them as
 * triggers name their transition tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "kit/kit_staged.h"

static SyncStagedRows *create(const char *name,
							  TupleDesc desc,
							  bool numbered,
							  bool lasting);
static Datum fetch_value(Form_pg_attribute column, Datum value);

/*
 * Begin to stage rows of that form, in the current memory context; "numbered"
 * ones keep their number.  "name" is what a statement calls them.
 */
SyncStagedRows *
sync_kit_staged_create(const char *name, TupleDesc desc, bool numbered)
{
	return create(name, desc, numbered, false);
}

/*
 * The same for rows that outlive the transaction.  They have to be freed, also
 * after an error.
 */
SyncStagedRows *
sync_kit_staged_lasting(const char *name, TupleDesc desc)
{
	return create(name, desc, false, true);
}

/*
 * Begin to stage rows.
 */
static SyncStagedRows *
create(const char *name, TupleDesc desc, bool numbered, bool lasting)
{
	SyncStagedRows *rows = palloc0(sizeof(SyncStagedRows));

	rows->name = name;
	rows->desc = numbered ? sync_kit_numbered_columns(desc) : desc;
	rows->numbered = numbered;
	rows->store = tuplestore_begin_heap(false, lasting, work_mem);
	rows->scratch = AllocSetContextCreate(CurrentMemoryContext,
										  "sync staged row",
										  ALLOCSET_SMALL_SIZES);
	rows->context = CurrentMemoryContext;
	rows->slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	return rows;
}

/*
 * The same columns and one for the number of the row.
 */
TupleDesc
sync_kit_numbered_columns(TupleDesc desc)
{
	TupleDesc wider = CreateTemplateTupleDesc(desc->natts + 1);

	for (int i = 1; i <= desc->natts; i++)
		TupleDescCopyEntry(wider, i, desc, i);
	TupleDescInitEntry(wider, wider->natts, SYNC_NUMBER_COLUMN, INT8OID, -1, 0);
	return wider;
}

/*
 * Begin to stage rows of the same form and name as others.
 */
SyncStagedRows *
sync_kit_staged_like(SyncStagedRows *others)
{
	SyncStagedRows *rows =
		sync_kit_staged_create(others->name, others->desc, false);

	rows->numbered = others->numbered;
	return rows;
}

/*
 * Add a row.  It may have more columns than are staged: the first ones are.
 */
void
sync_kit_staged_put(SyncStagedRows *rows, SyncRow *row)
{
	int ncolumns = rows->desc->natts - (rows->numbered ? 1 : 0);
	MemoryContext caller = MemoryContextSwitchTo(rows->scratch);
	Datum *values = palloc(rows->desc->natts * sizeof(Datum));
	bool *nulls = palloc(rows->desc->natts * sizeof(bool));

	for (int i = 0; i < ncolumns; i++)
	{
		nulls[i] = row->nulls[i];
		values[i] =
			nulls[i]
				? (Datum) 0
				: fetch_value(TupleDescAttr(rows->desc, i), row->values[i]);
	}
	if (rows->numbered)
	{
		values[ncolumns] = Int64GetDatum(row->number);
		nulls[ncolumns] = false;
	}
	MemoryContextSwitchTo(caller);
	tuplestore_putvalues(rows->store, rows->desc, values, nulls);
	rows->count++;
	MemoryContextReset(rows->scratch);
}

/*
 * Let sync_kit_staged_next begin with the first row.  Statements read the rows
 * by places of their own.
 */
void
sync_kit_staged_rewind(SyncStagedRows *rows)
{
	tuplestore_select_read_pointer(rows->store, 0);
	tuplestore_rescan(rows->store);
}

/*
 * The next row, NULL after the last; a SyncRowNext.  It is valid until the next
 * call.
 */
SyncRow *
sync_kit_staged_next(void *arg)
{
	SyncStagedRows *rows = arg;
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	bool found;

	tuplestore_select_read_pointer(rows->store, 0);
	found = tuplestore_gettupleslot(rows->store, true, false, rows->slot);
	MemoryContextSwitchTo(caller);
	if (!found)
		return NULL;
	slot_getallattrs(rows->slot);
	rows->row.values = rows->slot->tts_values;
	rows->row.nulls = rows->slot->tts_isnull;
	if (rows->numbered)
		rows->row.number =
			DatumGetInt64(rows->row.values[rows->desc->natts - 1]);
	return &rows->row;
}

/*
 * Free rows and their file.
 */
void
sync_kit_staged_free(SyncStagedRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->slot);
	tuplestore_end(rows->store);
	MemoryContextDelete(rows->scratch);
	pfree(rows);
}

/*
 * A value to be kept.  One that lies in a table of its own is fetched: nothing
 * keeps it there once its cursor is closed.
 */
static Datum
fetch_value(Form_pg_attribute column, Datum value)
{
	struct varlena *pointer = (struct varlena *) DatumGetPointer(value);

	if (column->attlen != -1 || !VARATT_IS_EXTERNAL(pointer))
		return value;
	return PointerGetDatum(detoast_external_attr(pointer));
}
