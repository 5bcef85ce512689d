/*-------------------------------------------------------------------------
 *
 * merge_trial.c
 *	  Trying whether a row may be in the target, without writing it: NOT NULL and
 *	  CHECK, what generated columns make of it, and partitions.
 *
 * A column whose value the table makes when the row is written, as one with a
 * sequence, is not known, and what depends on it is not tried.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"

#include "kit/kit_compat_table.h"
#include "merge/merge_foresee.h"
#include "merge/merge_load.h"

/* A CHECK constraint */
typedef struct TrialCheck
{
	const char *name;
	Bitmapset *columns; /* that it looks at, by their numbers */
	ExprState *state;
} TrialCheck;

struct SyncTrial
{
	SyncMerge *merge;
	Relation table;
	EState *estate;
	ResourceOwner owner;
	ResultRelInfo *target;
	TupleTableSlot *slot;
	ExprState **others; /* what new rows get; NULL: nothing */
	Bitmapset *unknown; /* columns of new rows that are not */
	Bitmapset *derived; /* columns of any row that are not */
	Bitmapset *placing; /* columns that partitions depend on */
	bool generates;
	List *checks; /* TrialCheck */
	ModifyTableState *router;
	PartitionTupleRouting *partitions; /* NULL: there are none */
};

static void prepare_columns(SyncTrial *trial);
static Bitmapset *columns_of(void *expression);
static void prepare_partitions(SyncTrial *trial);
static void prepare_checks(SyncTrial *trial);
static void fill_slot(SyncTrial *trial, SyncRow *row, bool update);
static void check_partition(SyncTrial *trial);
static void check_nulls(SyncTrial *trial, Bitmapset *unknown);
static void check_checks(SyncTrial *trial, Bitmapset *unknown);

/*
 * Whether there is anything to try, the key's own columns aside.
 */
bool
sync_merge_has_trials(SyncMerge *merge)
{
	Relation table = merge->target->relation;
	TupleDesc desc = RelationGetDescr(table);

	if (table->rd_rel->relispartition ||
		table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return true;
	if (desc->constr == NULL)
		return false;
	if (desc->constr->num_check > 0 || desc->constr->has_generated_stored)
		return true;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		bool in_key = false;

		for (int k = 0; k < merge->nkeys; k++)
			in_key |=
				strcmp(NameStr(column->attname),
					   NameStr(TupleDescAttr(merge->desc, k)->attname)) == 0;
		if (column->attnotnull && !column->attisdropped && !in_key)
			return true;
	}
	return false;
}

/*
 * Prepare to try rows.  What is made lies in the current memory context.
 */
SyncTrial *
sync_merge_trial_begin(SyncMerge *merge)
{
	EState *estate = CreateExecutorState();
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	SyncTrial *trial = palloc0(sizeof(SyncTrial));

	trial->merge = merge;
	trial->table = merge->target->relation;
	trial->estate = estate;
	trial->owner = CurrentResourceOwner;
	trial->target = makeNode(ResultRelInfo);
	InitResultRelInfo(trial->target, trial->table, 0, NULL, 0);
	trial->slot = MakeSingleTupleTableSlot(RelationGetDescr(trial->table),
										   &TTSOpsVirtual);
	prepare_columns(trial);
	prepare_checks(trial);
	prepare_partitions(trial);
	MemoryContextSwitchTo(caller);
	return trial;
}

/*
 * Try a row: a value for each column of the table.  Raises where it may not be
 * there.
 */
void
sync_merge_trial_row(SyncTrial *trial, SyncRow *row, bool update)
{
	Bitmapset *unknown = update ? trial->derived : trial->unknown;
	MemoryContext caller;

	ResetPerTupleExprContext(trial->estate);
	caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(trial->estate));
	fill_slot(trial, row, update);
	if (trial->generates)
		ExecComputeStoredGenerated(trial->target,
								   trial->estate,
								   trial->slot,
								   CMD_INSERT);
	if (!bms_overlap(trial->placing, unknown))
		check_partition(trial);
	check_nulls(trial, unknown);
	check_checks(trial, unknown);
	MemoryContextSwitchTo(caller);
}

/*
 * Let all go.
 */
void
sync_merge_trial_end(SyncTrial *trial)
{
	if (trial->partitions)
		ExecCleanupTupleRouting(trial->router, trial->partitions);
	ExecDropSingleTupleTableSlot(trial->slot);
	ExecResetTupleTable(trial->estate->es_tupleTable, false);
	FreeExecutorState(trial->estate);
}

/*
 * Look up what new rows get in columns that they do not bring, and what of it is
 * known only when they are written.
 */
static void
prepare_columns(SyncTrial *trial)
{
	TupleDesc desc = RelationGetDescr(trial->table);

	trial->others = palloc0(Max(desc->natts, 1) * sizeof(ExprState *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Node *value;

		if (column->attgenerated &&
			column->attgenerated != ATTRIBUTE_GENERATED_STORED)
			trial->derived = bms_add_member(trial->derived, i + 1);
		if (!sync_merge_is_left_out(trial->merge, column))
			continue;
		value = sync_merge_value_of_other(trial->merge, column);
		if (value && contain_volatile_functions((Node *) value))
			trial->unknown = bms_add_member(trial->unknown, i + 1);
		else if (value)
			trial->others[i] = ExecPrepareExpr((Expr *) value, trial->estate);
	}
	trial->generates = desc->constr && desc->constr->has_generated_stored;
	trial->unknown = bms_add_members(trial->unknown, trial->derived);
	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attgenerated ==
				ATTRIBUTE_GENERATED_STORED &&
			bms_overlap(columns_of(build_column_default(trial->table, i + 1)),
						trial->unknown))
			trial->unknown = bms_add_member(trial->unknown, i + 1);
}

/*
 * The columns of the table that an expression, or a list of them, looks at, by
 * their numbers.
 */
static Bitmapset *
columns_of(void *expression)
{
	Bitmapset *attributes = NULL;
	Bitmapset *columns = NULL;

	pull_varattnos(expression, 1, &attributes);
	for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;)
		if (i + FirstLowInvalidHeapAttributeNumber > 0)
			columns =
				bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/*
 * Prepare to find the partition of a row.
 */
static void
prepare_partitions(SyncTrial *trial)
{
	PartitionKey key = RelationGetPartitionKey(trial->table);

	if (trial->table->rd_rel->relispartition)
		trial->placing = columns_of(RelationGetPartitionQual(trial->table));
	if (key == NULL)
		return;
	trial->placing =
		bms_add_members(trial->placing, columns_of(key->partexprs));
	for (int i = 0; i < key->partnatts; i++)
		if (key->partattrs[i] > 0)
			trial->placing = bms_add_member(trial->placing, key->partattrs[i]);
	trial->router = makeNode(ModifyTableState);
	trial->router->ps.state = trial->estate;
	trial->router->operation = CMD_INSERT;
	trial->router->mt_nrels = 1;
	trial->router->resultRelInfo = trial->target;
	trial->router->rootResultRelInfo = trial->target;
	trial->partitions =
		ExecSetupPartitionTupleRouting(trial->estate, trial->table);
}

/*
 * Prepare the CHECK constraints.
 */
static void
prepare_checks(SyncTrial *trial)
{
	TupleConstr *constraints = RelationGetDescr(trial->table)->constr;

	for (int i = 0; constraints && i < constraints->num_check; i++)
	{
		ConstrCheck *check = &constraints->check[i];
		TrialCheck *prepared;
		Node *expression;

		if (!sync_compat_check_is_enforced(check))
			continue;
		prepared = palloc0(sizeof(TrialCheck));
		expression = stringToNode(check->ccbin);
		prepared->columns = columns_of(expression);
		prepared->name = check->ccname;
		prepared->state = ExecPrepareExpr((Expr *) expression, trial->estate);
		trial->checks = lappend(trial->checks, prepared);
	}
}

/*
 * Fill the slot with a row, and with what a new one gets.
 */
static void
fill_slot(SyncTrial *trial, SyncRow *row, bool update)
{
	TupleTableSlot *slot = trial->slot;

	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		slot->tts_values[i] = row->values[i];
		slot->tts_isnull[i] = row->nulls[i];
		if (!update && trial->others[i])
			slot->tts_values[i] =
				ExecEvalExpr(trial->others[i],
							 GetPerTupleExprContext(trial->estate),
							 &slot->tts_isnull[i]);
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(trial->table);
}

/*
 * Raise where the row has no place in the partition that the table is, or in none
 * of those that it has.
 */
static void
check_partition(SyncTrial *trial)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (trial->table->rd_rel->relispartition)
		(void)
			ExecPartitionCheck(trial->target, trial->slot, trial->estate, true);
	if (trial->partitions)
	{
		/* what it opens is kept for other rows, beyond a subtransaction */
		CurrentResourceOwner = trial->owner;
		(void) ExecFindPartition(trial->router,
								 trial->target,
								 trial->partitions,
								 trial->slot,
								 trial->estate);
		CurrentResourceOwner = owner;
	}
}

/*
 * Raise where a column is NULL that must not be.
 */
static void
check_nulls(SyncTrial *trial, Bitmapset *unknown)
{
	TupleDesc desc = RelationGetDescr(trial->table);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attnotnull && !column->attisdropped &&
			trial->slot->tts_isnull[i] && !bms_is_member(i + 1, unknown))
			ereport(ERROR,
					errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
						   NameStr(column->attname),
						   RelationGetRelationName(trial->table)),
					errtablecol(trial->table, i + 1));
	}
}

/*
 * Raise where a CHECK constraint does not hold.
 */
static void
check_checks(SyncTrial *trial, Bitmapset *unknown)
{
	ExprContext *context = GetPerTupleExprContext(trial->estate);
	ListCell *cell;

	context->ecxt_scantuple = trial->slot;
	foreach(cell, trial->checks)
	{
		TrialCheck *check = lfirst(cell);

		if (!bms_overlap(check->columns, unknown) &&
			!ExecCheck(check->state, context))
			ereport(ERROR,
					errcode(ERRCODE_CHECK_VIOLATION),
					errmsg("new row for relation \"%s\" violates check constraint \"%s\"",
						   RelationGetRelationName(trial->table),
						   check->name),
					errtableconstraint(trial->table, check->name));
	}
}
