/*-------------------------------------------------------------------------
 *
 * kit_compat_table.h
 *	  What differs between server versions in reading and writing tables
 *	  without SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_COMPAT_TABLE_H
#define KIT_COMPAT_TABLE_H

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/rel.h"

/*
 * Begin a scan of an index.  Servers from 18 on want to know where to count.
 */
static inline IndexScanDesc
sync_compat_index_beginscan(Relation table,
							Relation index,
							Snapshot snapshot,
							int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(table, index, snapshot, nkeys, 0);
#endif
}

/*
 * Insert the index entries of a row that was added.  Returns the indexes that
 * have to be looked at once more, by their numbers.  Servers from 16 on can be
 * asked for less.
 */
static inline List *
sync_compat_insert_index_tuples(ResultRelInfo *target,
								TupleTableSlot *slot,
								EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(target,
								 slot,
								 estate,
								 false,
								 false,
								 NULL,
								 NIL,
								 false);
#else
	return ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL);
#endif
}

/*
 * Whether a CHECK constraint is enforced.  Servers from 18 on may have others.
 */
static inline bool
sync_compat_check_is_enforced(ConstrCheck *check)
{
#if PG_VERSION_NUM >= 180000
	return check->ccenforced;
#else
	return true;
#endif
}

/*
 * Whether a foreign key is enforced.  Servers from 18 on may have others.
 */
static inline bool
sync_compat_key_is_enforced(ForeignKeyCacheInfo *key)
{
#if PG_VERSION_NUM >= 180000
	return key->conenforced;
#else
	return true;
#endif
}

/*
 * Put a row in the place of another, without waiting for whoever holds that.
 * Servers from 16 on say more about which indexes need an entry.
 */
static inline TM_Result
sync_compat_update_row(Relation table,
					   ItemPointer old,
					   TupleTableSlot *slot,
					   Snapshot snapshot,
					   TM_FailureData *failure,
					   bool *indexes)
{
	LockTupleMode mode;
	TM_Result result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes update = TU_None;
#else
	bool update = false;
#endif

	result =
		table_tuple_update(table,
						   old,
						   slot,
						   GetCurrentCommandId(true),
						   snapshot,
						   InvalidSnapshot,
						   false,
						   failure,
						   &mode,
						   &update);
#if PG_VERSION_NUM >= 160000
	*indexes = update == TU_All;
#else
	*indexes = update;
#endif
	return result;
}

#endif /* KIT_COMPAT_TABLE_H */
