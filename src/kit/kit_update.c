/*-------------------------------------------------------------------------
 *
 * kit_update.c
 *	  Changing rows of a table of our own where they stand.
 *
 * As with kit_insert.c, no default is computed, no constraint but unique indexes
 * is checked and no trigger is fired.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "kit/kit_compat_table.h"
#include "kit/kit_update.h"

struct SyncUpdate
{
	Relation table;
	EState *estate;
	ResultRelInfo *target;
	TupleTableSlot *slot;
};

/*
 * Begin to change rows of a table, which is locked and stays open, under the
 * active snapshot.  What is made lies in the current memory context.
 */
SyncUpdate *
sync_kit_update_begin(Relation table)
{
	SyncUpdate *update = palloc0(sizeof(SyncUpdate));

	update->table = table;
	update->estate = CreateExecutorState();
	update->target = makeNode(ResultRelInfo);
	InitResultRelInfo(update->target, table, 1, NULL, 0);
	ExecOpenIndices(update->target, false);
	update->slot = MakeSingleTupleTableSlot(RelationGetDescr(table),
											table_slot_callbacks(table));
	return update;
}

/*
 * Put a row in the place of the one at "tid", which is then where the new one
 * stands.  Nobody is waited for: "failure" says who holds it.
 */
TM_Result
sync_kit_update_row(SyncUpdate *update,
					ItemPointer tid,
					HeapTuple row,
					TM_FailureData *failure)
{
	bool indexes = false;
	TM_Result result;

	ExecForceStoreHeapTuple(row, update->slot, false);
	result = sync_compat_update_row(update->table,
									tid,
									update->slot,
									GetActiveSnapshot(),
									failure,
									&indexes);
	if (result != TM_Ok)
		return result;
	if (indexes)
		sync_compat_insert_index_tuples(update->target,
										update->slot,
										update->estate);
	ResetPerTupleExprContext(update->estate);
	*tid = update->slot->tts_tid;
	return TM_Ok;
}

/*
 * The end of sync_kit_update_begin.
 */
void
sync_kit_update_end(SyncUpdate *update)
{
	ExecDropSingleTupleTableSlot(update->slot);
	ExecCloseIndices(update->target);
	FreeExecutorState(update->estate);
	pfree(update);
}
