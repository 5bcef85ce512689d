/*-------------------------------------------------------------------------
 *
 * merge_load.c
 *	  New rows as COPY writes them: a page of the table at once.
 *
 * It takes half the time of an INSERT and two thirds of its WAL, and is the same
 * where nothing sees a row before the statement is over.  Where something could,
 * as a BEFORE trigger, a rule or a policy, an INSERT is left to do it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_compat_table.h"
#include "merge/merge_load.h"
#include "shmem/shmem_progress.h"

/* so much is written at once */
#define ROWS_MAX  1000
#define BYTES_MAX 65536

#define ROWS_A_REPORT 4096

/* Rows being loaded */
typedef struct Load
{
	SyncMerge *merge;
	Relation table;
	EState *estate;
	ResultRelInfo *target;
	int *places;		/* of the columns of the merge, in the table */
	ExprState **others; /* by column of the table; NULL: it has no value */
	TupleTableSlot *slots[ROWS_MAX];
	int nslots; /* that were made */
	int nrows;	/* that wait to be written */
	Size bytes; /* of them */
} Load;

static bool has_plain_triggers(TriggerDesc *triggers);
static bool has_plain_columns(SyncMerge *merge);
static Load *begin_load(SyncMerge *merge);
static void put_row(Load *load, SyncRow *row);
static void complete_row(Load *load, TupleTableSlot *slot);
static void write_rows(Load *load);
static void end_load(Load *load);

/*
 * Whether adding rows to the target in this way is the same as an INSERT by the
 * caller.
 */
bool
sync_merge_can_load(SyncMerge *merge)
{
	Relation table = merge->target->relation;
	Oid relid = RelationGetRelid(table);

	return merge->keep == NULL && table->rd_rel->relkind == RELKIND_RELATION &&
		   !table->rd_rel->relhasrules && !RELATION_IS_OTHER_TEMP(table) &&
		   pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) == ACLCHECK_OK &&
		   pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		   check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED &&
		   has_plain_triggers(table->trigdesc) && has_plain_columns(merge);
}

/*
 * Add rows.  Returns how many.
 */
int64
sync_merge_load(SyncMerge *merge, SyncStagedRows *rows)
{
	Load *load;
	SyncRow *row;
	int64 count = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerBeginQuery();
	load = begin_load(merge);
	sync_kit_staged_rewind(rows);
	while ((row = sync_kit_staged_next(rows)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		put_row(load, row);
		if (++count % ROWS_A_REPORT == 0)
			sync_shmem_progress_rows(count);
	}
	write_rows(load);
	AfterTriggerEndQuery(load->estate);
	end_load(load);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return count;
}

/*
 * Whether a column of the table is none of the merge, and takes a value.
 */
bool
sync_merge_is_left_out(SyncMerge *merge, Form_pg_attribute column)
{
	if (column->attisdropped || column->attgenerated)
		return false;
	for (int i = 0; i < merge->desc->natts; i++)
		if (strcmp(NameStr(column->attname),
				   NameStr(TupleDescAttr(merge->desc, i)->attname)) == 0)
			return false;
	return true;
}

/*
 * What a column that is left out gets: the time, or its default.  NULL is none.
 */
Node *
sync_merge_value_of_other(SyncMerge *merge, Form_pg_attribute column)
{
	Const *now;

	if (merge->synced_at == NULL ||
		strcmp(NameStr(column->attname), merge->synced_at) != 0)
		return build_column_default(merge->target->relation, column->attnum);
	now = makeConst(TIMESTAMPTZOID,
					-1,
					InvalidOid,
					sizeof(TimestampTz),
					TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
					false,
					FLOAT8PASSBYVAL);
	return coerce_to_target_type(NULL,
								 (Node *) now,
								 TIMESTAMPTZOID,
								 column->atttypid,
								 column->atttypmod,
								 COERCION_ASSIGNMENT,
								 COERCE_IMPLICIT_CAST,
								 -1);
}

/*
 * Whether no trigger sees rows before all are there.
 */
static bool
has_plain_triggers(TriggerDesc *triggers)
{
	return triggers == NULL ||
		   !(triggers->trig_insert_before_row ||
			 triggers->trig_insert_instead_row ||
			 triggers->trig_insert_before_statement ||
			 triggers->trig_insert_after_statement ||
			 triggers->trig_insert_new_table);
}

/*
 * Whether no value that the table itself gives a column can see rows, and none
 * has to pass a domain for not being given.
 */
static bool
has_plain_columns(SyncMerge *merge)
{
	TupleDesc desc = RelationGetDescr(merge->target->relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Node *value;

		if (!sync_merge_is_left_out(merge, column))
			continue;
		value = sync_merge_value_of_other(merge, column);
		if (value ? contain_volatile_functions_not_nextval(value)
				  : getBaseType(column->atttypid) != column->atttypid)
			return false;
	}
	return true;
}

/*
 * Begin to load.
 */
static Load *
begin_load(SyncMerge *merge)
{
	Relation table = merge->target->relation;
	TupleDesc desc = RelationGetDescr(table);
	EState *estate = CreateExecutorState();
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	Load *load = palloc0(sizeof(Load));

	load->merge = merge;
	load->table = table;
	load->estate = estate;
	load->target = makeNode(ResultRelInfo);
	InitResultRelInfo(load->target, table, 0, NULL, 0);
	estate->es_opened_result_relations = list_make1(load->target);
	ExecOpenIndices(load->target, false);

	load->places = palloc(Max(merge->desc->natts, 1) * sizeof(int));
	for (int i = 0; i < merge->desc->natts; i++)
		load->places[i] =
			get_attnum(RelationGetRelid(table),
					   NameStr(TupleDescAttr(merge->desc, i)->attname)) -
			1;
	load->others = palloc0(Max(desc->natts, 1) * sizeof(ExprState *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Node *value = sync_merge_is_left_out(merge, column)
						  ? sync_merge_value_of_other(merge, column)
						  : NULL;

		if (value)
			load->others[i] = ExecPrepareExpr((Expr *) value, estate);
	}
	MemoryContextSwitchTo(caller);
	return load;
}

/*
 * Take a row, to be written with others.
 */
static void
put_row(Load *load, SyncRow *row)
{
	TupleDesc desc = RelationGetDescr(load->table);
	MemoryContext caller = MemoryContextSwitchTo(load->estate->es_query_cxt);
	TupleTableSlot *slot;

	if (load->nrows == load->nslots)
		load->slots[load->nslots++] =
			MakeSingleTupleTableSlot(desc, table_slot_callbacks(load->table));
	MemoryContextSwitchTo(caller);
	slot = load->slots[load->nrows];
	memset(slot->tts_isnull, true, desc->natts * sizeof(bool));
	for (int i = 0; i < load->merge->desc->natts; i++)
	{
		slot->tts_values[load->places[i]] = row->values[i];
		slot->tts_isnull[load->places[i]] = row->nulls[i];
	}
	complete_row(load, slot);
	load->nrows++;
	if (load->nrows == ROWS_MAX || load->bytes >= BYTES_MAX)
		write_rows(load);
}

/*
 * Give a row what it has besides, and see that it may be in the table.
 */
static void
complete_row(Load *load, TupleTableSlot *slot)
{
	TupleConstr *constraints = RelationGetDescr(load->table)->constr;
	MemoryContext caller =
		MemoryContextSwitchTo(GetPerTupleMemoryContext(load->estate));
	HeapTuple tuple;
	bool made;

	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
		if (load->others[i])
			slot->tts_values[i] =
				ExecEvalExpr(load->others[i],
							 GetPerTupleExprContext(load->estate),
							 &slot->tts_isnull[i]);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(load->table);
	if (constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(load->target, load->estate, slot, CMD_INSERT);
	if (constraints)
		ExecConstraints(load->target, slot, load->estate);
	if (load->table->rd_rel->relispartition)
		(void) ExecPartitionCheck(load->target, slot, load->estate, true);

	/* the values are the reader's no longer */
	ExecMaterializeSlot(slot);
	tuple = ExecFetchSlotHeapTuple(slot, true, &made);
	load->bytes += tuple->t_len;
	MemoryContextSwitchTo(caller);
	ResetPerTupleExprContext(load->estate);
}

/*
 * Write the rows that wait, their entries in indexes, and what triggers are to
 * be told of them.
 */
static void
write_rows(Load *load)
{
	MemoryContext caller =
		MemoryContextSwitchTo(GetPerTupleMemoryContext(load->estate));

	if (load->nrows > 0)
		table_multi_insert(load->table,
						   load->slots,
						   load->nrows,
						   GetCurrentCommandId(true),
						   0,
						   NULL);
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < load->nrows; i++)
	{
		TupleTableSlot *slot = load->slots[i];
		List *conflicts =
			sync_compat_insert_index_tuples(load->target, slot, load->estate);

		ExecARInsertTriggers(load->estate, load->target, slot, conflicts, NULL);
		list_free(conflicts);
		ExecClearTuple(slot);
		ResetPerTupleExprContext(load->estate);
	}
	load->nrows = 0;
	load->bytes = 0;
}

/*
 * Let all go.
 */
static void
end_load(Load *load)
{
	for (int i = 0; i < load->nslots; i++)
		ExecDropSingleTupleTableSlot(load->slots[i]);
	ExecResetTupleTable(load->estate->es_tupleTable, false);
	ExecCloseResultRelations(load->estate);
	FreeExecutorState(load->estate);
}
