/*-------------------------------------------------------------------------
 *
 * kit_insert.c
 *	  Adding many rows to a table of our own, as COPY does it.
 *
 * It costs a fifth of an INSERT, and does less: no default is computed, no
 * constraint but NOT NULL and unique indexes is checked, no trigger is fired.
 * So it is for tables that belong to the extension, and for values that are
 * known to be right.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "kit/kit_compat_table.h"
#include "kit/kit_insert.h"

/* so many rows are written at once */
#define ROWS_MAX 64

struct SyncInsert
{
	Relation table;
	EState *estate;
	ResultRelInfo *target;
	TupleTableSlot *slots[ROWS_MAX];
	int nslots; /* that were made */
	int nrows;	/* that wait to be written */
};

static void write_rows(SyncInsert *insert);

/*
 * Begin to add rows to a table, which is locked and stays open.  What is made
 * lies in the current memory context.
 */
SyncInsert *
sync_kit_insert_begin(Relation table)
{
	SyncInsert *insert = palloc0(sizeof(SyncInsert));

	insert->table = table;
	insert->estate = CreateExecutorState();
	insert->target = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->target, table, 1, NULL, 0);
	ExecOpenIndices(insert->target, false);
	return insert;
}

/*
 * Add a row: a value for each column of the table.  They have to stay valid until
 * sync_kit_insert_end.
 */
void
sync_kit_insert_row(SyncInsert *insert, Datum *values, bool *nulls)
{
	TupleDesc desc = RelationGetDescr(insert->table);
	TupleTableSlot *slot;

	if (insert->nrows == ROWS_MAX)
		write_rows(insert);
	if (insert->nrows == insert->nslots)
		insert->slots[insert->nslots++] =
			MakeSingleTupleTableSlot(desc, table_slot_callbacks(insert->table));

	slot = insert->slots[insert->nrows++];
	ExecClearTuple(slot);
	for (int i = 0; i < desc->natts; i++)
	{
		if (nulls[i] && TupleDescAttr(desc, i)->attnotnull)
			elog(ERROR,
				 "no value for column \"%s\"",
				 NameStr(TupleDescAttr(desc, i)->attname));
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}

/*
 * Write what is left, and free all.
 */
void
sync_kit_insert_end(SyncInsert *insert)
{
	write_rows(insert);
	for (int i = 0; i < insert->nslots; i++)
		ExecDropSingleTupleTableSlot(insert->slots[i]);
	ExecCloseIndices(insert->target);
	FreeExecutorState(insert->estate);
	pfree(insert);
}

/*
 * Write the rows that wait.
 */
static void
write_rows(SyncInsert *insert)
{
	if (insert->nrows == 0)
		return;
	table_multi_insert(insert->table,
					   insert->slots,
					   insert->nrows,
					   GetCurrentCommandId(true),
					   0,
					   NULL);
	for (int i = 0; i < insert->nrows; i++)
	{
		(void) sync_compat_insert_index_tuples(insert->target,
											   insert->slots[i],
											   insert->estate);
		ResetPerTupleExprContext(insert->estate);
	}
	insert->nrows = 0;
}
