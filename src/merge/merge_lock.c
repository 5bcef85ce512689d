/*-------------------------------------------------------------------------
 *
 * merge_lock.c
 *	  Who may write into a target: one run at a time, or one for each part.
 *
 * A part is what a run is about that reads and writes no other rows, as those of
 * a tenant.  Who wants all waits for all parts, and the other way round.  No
 * statement takes these locks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/typcache.h"

#include "merge/merge.h"

static bool take(Oid table, uint16 number, LOCKMODE mode, bool wait);
static bool has_triggers(Relation table);
static bool begins_with(Relation table, Oid index, AttrNumber column);

/*
 * Lock a part of a table, NULL: all of it, for a run, until the end of the
 * transaction.  Returns false where that would have to be waited for and "wait"
 * says not to.
 */
bool
sync_merge_lock(Oid table, const char *part, bool wait)
{
	uint32 hash;

	if (part == NULL)
		return take(table, 0, ExclusiveLock, wait);
	/* parts that share a number wait for each other, and that is all */
	hash = hash_bytes((const unsigned char *) part, strlen(part));
	return take(table, 0, RowExclusiveLock, wait) &&
		   take(table, 1 + hash % PG_UINT16_MAX, ExclusiveLock, wait);
}

/*
 * Are the rows that have one value in that column a part of the target?  Nothing
 * that is done with them touches others: each unique index and each exclusion
 * constraint begins with the column, and no trigger is fired.  That no other
 * column can say the same of itself keeps parts from meeting.
 */
bool
sync_merge_is_parted_by(SyncTarget *target, const char *column)
{
	Relation table = target->relation;
	AttrNumber number = get_attnum(RelationGetRelid(table), column);
	bool parted = table->rd_rel->relkind == RELKIND_RELATION &&
				  !target->references_itself && !has_triggers(table);
	ListCell *cell;

	foreach(cell, RelationGetIndexList(table))
		parted = parted && begins_with(table, lfirst_oid(cell), number);
	return parted;
}

/*
 * Take one lock.
 */
static bool
take(Oid table, uint16 number, LOCKMODE mode, bool wait)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, table, number);
	if (LockAcquire(&tag, mode, false, !wait) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	/* what was waited for may have changed what is known of the table */
	AcceptInvalidationMessages();
	return true;
}

/*
 * Has a table triggers, but for those of foreign keys?
 */
static bool
has_triggers(Relation table)
{
	TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (!triggers->triggers[i].tgisinternal)
			return true;
	return false;
}

/*
 * Does an index begin with a column, where it lets values come but once?  One that
 * excludes rows has to do so by equality.
 */
static bool
begins_with(Relation table, Oid index_oid, AttrNumber column)
{
	Relation index = index_open(index_oid, AccessShareLock);
	Form_pg_index form = index->rd_index;
	bool begins = form->indkey.values[0] == column ||
				  !(form->indisunique || form->indisexclusion);

	if (begins && form->indisexclusion)
	{
		Oid *operators;
		Oid *functions;
		uint16 *strategies;

		RelationGetExclusionInfo(index, &operators, &functions, &strategies);
		begins =
			operators[0] ==
			lookup_type_cache(index->rd_opcintype[0], TYPECACHE_EQ_OPR)->eq_opr;
	}
	index_close(index, AccessShareLock);
	return begins;
}
