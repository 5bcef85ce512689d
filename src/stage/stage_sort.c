/*-------------------------------------------------------------------------
 *
 * stage_sort.c
 *	  Sorting rows that another server cannot sort for us.
 *
 * Memory is bounded by work_mem; beyond it, the sort uses temporary files.
 * Rows with one key stay in the order in which they came.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "kit/kit_order.h"
#include "kit/kit_staged.h"
#include "stage/stage.h"

/* Sorts rows; what is sorted has their number as one more column */
typedef struct Sorter
{
	SyncRowNext next;
	void *next_arg;
	TupleDesc desc;
	Tuplesortstate *sort; /* NULL: nothing was read yet */
	SyncKeyOrder *order;
	List *order_by;			  /* names of columns */
	TupleTableSlot *slots[2]; /* a row stays valid while the next is read */
	SyncRow rows[2];
	int turn;
} Sorter;

static Tuplesortstate *begin_sort(Sorter *sorter);
static AttrNumber find_column(Sorter *sorter, const char *name);
static Oid order_of(Sorter *sorter, AttrNumber number);
static void read_all(Sorter *sorter);

/*
 * Prepare to sort the rows that "next" gives by the key of the reading, and by
 * the columns of it that "order_by" names.
 */
void *
sync_stage_sort_start(SyncReading *reading,
					  SyncRowNext next,
					  void *arg,
					  List *order_by)
{
	Sorter *sorter = palloc0(sizeof(Sorter));

	sorter->next = next;
	sorter->next_arg = arg;
	sorter->desc = sync_kit_numbered_columns(reading->desc);
	sorter->order = sync_kit_order_create(reading->desc, reading->nkeys);
	sorter->order_by = order_by;
	for (int i = 0; i < lengthof(sorter->slots); i++)
		sorter->slots[i] =
			MakeSingleTupleTableSlot(sorter->desc, &TTSOpsMinimalTuple);
	return sorter;
}

/*
 * The next row in order; a SyncRowNext.  The first call reads all of them.  The
 * row is valid until the second call from here.
 */
SyncRow *
sync_stage_sort_next(void *arg)
{
	Sorter *sorter = arg;
	TupleTableSlot *slot;
	SyncRow *row;

	if (sorter->sort == NULL)
		read_all(sorter);

	sorter->turn = 1 - sorter->turn;
	slot = sorter->slots[sorter->turn];
	if (!tuplesort_gettupleslot(sorter->sort, true, true, slot, NULL))
		return NULL;
	slot_getallattrs(slot);
	row = &sorter->rows[sorter->turn];
	row->values = slot->tts_values;
	row->nulls = slot->tts_isnull;
	row->number = DatumGetInt64(slot->tts_values[sorter->desc->natts - 1]);
	return row;
}

/*
 * Free the sort and its files.
 */
void
sync_stage_sort_end(void *arg)
{
	Sorter *sorter = arg;

	for (int i = 0; i < lengthof(sorter->slots); i++)
		ExecDropSingleTupleTableSlot(sorter->slots[i]);
	if (sorter->sort)
		tuplesort_end(sorter->sort);
}

/*
 * Begin a sort by the key, then by what orders rows with one key, then by the
 * number.
 */
static Tuplesortstate *
begin_sort(Sorter *sorter)
{
	int nkeys = sorter->order->nkeys + list_length(sorter->order_by) + 1;
	AttrNumber *columns = palloc(nkeys * sizeof(AttrNumber));
	Oid *operators = palloc(nkeys * sizeof(Oid));
	Oid *collations = palloc0(nkeys * sizeof(Oid));
	bool *nulls_first = palloc0(nkeys * sizeof(bool));

	ListCell *cell;

	for (int i = 0; i < sorter->order->nkeys; i++)
	{
		columns[i] = i + 1;
		operators[i] = sorter->order->less_than[i];
		collations[i] = sorter->order->collations[i];
	}
	foreach(cell, sorter->order_by)
	{
		int i = sorter->order->nkeys + foreach_current_index(cell);

		columns[i] = find_column(sorter, lfirst(cell));
		operators[i] = order_of(sorter, columns[i]);
		collations[i] =
			TupleDescAttr(sorter->desc, columns[i] - 1)->attcollation;
	}
	columns[nkeys - 1] = sorter->desc->natts;
	operators[nkeys - 1] = Int8LessOperator;
	return tuplesort_begin_heap(sorter->desc,
								nkeys,
								columns,
								operators,
								collations,
								nulls_first,
								work_mem,
								NULL,
								TUPLESORT_NONE);
}

/*
 * The number of the column of that name.  Raises where it is not read.
 */
static AttrNumber
find_column(Sorter *sorter, const char *name)
{
	for (int i = 0; i < sorter->desc->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(sorter->desc, i)->attname), name) == 0)
			return i + 1;
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_COLUMN),
			errmsg("column \"%s\" of order_by is not in the target", name),
			errhint("Rows of files are ordered by columns that are written, and then by file and line."));
}

/*
 * The operator that orders the values of a column.
 */
static Oid
order_of(Sorter *sorter, AttrNumber number)
{
	Form_pg_attribute column = TupleDescAttr(sorter->desc, number - 1);
	Oid operator= lookup_type_cache(column->atttypid, TYPECACHE_LT_OPR)->lt_opr;

	if (!OidIsValid(operator))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_FUNCTION),
				errmsg("column \"%s\" of order_by has no order",
					   NameStr(column->attname)),
				errdetail("Its type is %s.", format_type_be(column->atttypid)));
	return operator;
}

/*
 * Read all rows and sort them.
 */
static void
read_all(Sorter *sorter)
{
	int ncolumns = sorter->desc->natts - 1;
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(sorter->desc, &TTSOpsVirtual);
	SyncRow *row;

	sorter->sort = begin_sort(sorter);
	while ((row = sorter->next(sorter->next_arg)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(slot);
		memcpy(slot->tts_values, row->values, ncolumns * sizeof(Datum));
		memcpy(slot->tts_isnull, row->nulls, ncolumns * sizeof(bool));
		slot->tts_values[ncolumns] = Int64GetDatum(row->number);
		slot->tts_isnull[ncolumns] = false;
		ExecStoreVirtualTuple(slot);
		tuplesort_puttupleslot(sorter->sort, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplesort_performsort(sorter->sort);
}
