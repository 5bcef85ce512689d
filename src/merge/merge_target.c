/*-------------------------------------------------------------------------
 *
 * merge_target.c
 *	  The table that is merged into.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/typcache.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_override.h"
#include "merge/merge_deferred.h"

static void check_kind(Relation relation);
static void check_rights(SyncTarget *target, AclMode rights);
static bool references_itself(Relation relation);
static void check_key_column(SyncTarget *target, const char *name);
static bool is_key_index(Relation table, Oid index, Bitmapset *key);
static bool tells_apart(Relation table, Relation index, int i);

/*
 * Open the table of that name, written as in SQL, so that its columns stay as
 * they are until the end of the transaction.  Raises where it is no table, or
 * where the caller has no right on it.
 */
SyncTarget *
sync_merge_open_target(const char *name)
{
	SyncTarget *target = palloc0(sizeof(SyncTarget));
	RangeVar *range;
	Relation relation;
	Oid relid;

	sync_kit_check_relation_name(name, "the target");
	range = makeRangeVarFromNameList(sync_compat_name_list(name));
	relid = RangeVarGetRelid(range, AccessShareLock, true);
	if (!OidIsValid(relid))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table \"%s\" does not exist", name),
				errhint("Write it as in SQL, SCHEMA.NAME, in double quotes where it has capitals."));
	relation = table_open(relid, NoLock);
	check_kind(relation);
	target->relation = relation;
	target->name = pstrdup(RelationGetRelationName(relation));
	target->qualified =
		quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
								   target->name);
	target->rows = relation->rd_rel->relkind == RELKIND_RELATION
					   ? psprintf("ONLY %s", target->qualified)
					   : target->qualified;
	target->references_itself = references_itself(relation);
	target->deferred = sync_merge_find_deferred(relation);
	check_rights(target, ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE);
	return target;
}

/*
 * Close the table; the lock stays.
 */
void
sync_merge_close_target(SyncTarget *target)
{
	table_close(target->relation, NoLock);
}

/*
 * Raise unless a unique index sees to it that no key comes twice.
 */
void
sync_merge_check_key(SyncTarget *target, List *key)
{
	Bitmapset *columns = NULL;
	StringInfoData names;
	ListCell *cell;

	initStringInfo(&names);
	foreach(cell, key)
	{
		check_key_column(target, lfirst(cell));
		columns = bms_add_member(columns,
								 get_attnum(RelationGetRelid(target->relation),
											lfirst(cell)));
		appendStringInfo(&names,
						 "%s%s",
						 names.len > 0 ? ", " : "",
						 quote_identifier(lfirst(cell)));
	}

	foreach(cell, RelationGetIndexList(target->relation))
		if (is_key_index(target->relation, lfirst_oid(cell), columns))
			return;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			errmsg("table \"%s\" has no unique index on the key (%s)",
				   target->name,
				   names.data),
			errdetail("Without one, a key could be added twice."),
			errhint("Run CREATE UNIQUE INDEX ON %s (%s).",
					target->qualified,
					names.data));
}

/*
 * Wait until no other run writes into a part of the target, NULL: all of it, and
 * keep others waiting until the end of the transaction.  Who may not write into
 * the target can keep no one waiting.
 */
void
sync_merge_lock_target(SyncTarget *target, const char *part)
{
	check_rights(target, ACL_INSERT | ACL_UPDATE | ACL_DELETE);
	(void) sync_merge_lock(RelationGetRelid(target->relation), part, true);
}

/*
 * Have the planner take it that the target is in cache, where it would fit: it
 * takes an index for so dear otherwise that it reads the whole table for one row
 * in a hundred.  Returns what AtEOXact_GUC is to end that by.
 */
int
sync_merge_assume_cached(SyncTarget *target)
{
	int32 pages = target->relation->rd_rel->relpages;
	int settings = NewGUCNestLevel();

	if (pages > 0 && pages <= effective_cache_size &&
		random_page_cost > seq_page_cost)
		sync_kit_override("random_page_cost", psprintf("%g", seq_page_cost));
	return settings;
}

/*
 * Raise unless the relation is a table.
 */
static void
check_kind(Relation relation)
{
	const char *kind;

	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return;
		case RELKIND_VIEW:
			kind = "a view";
			break;
		case RELKIND_MATVIEW:
			kind = "a materialized view";
			break;
		case RELKIND_FOREIGN_TABLE:
			kind = "a foreign table";
			break;
		default:
			kind = "no table";
	}
	ereport(ERROR,
			errcode(ERRCODE_WRONG_OBJECT_TYPE),
			errmsg("cannot merge into \"%s\"",
				   RelationGetRelationName(relation)),
			errdetail("It is %s.", kind),
			errhint("Name a table or a partitioned table of this database."));
}

/*
 * Raise unless the caller has one of those rights on the table or on a column
 * of it.
 */
static void
check_rights(SyncTarget *target, AclMode rights)
{
	Oid relid = RelationGetRelid(target->relation);

	if (pg_class_aclcheck(relid, GetUserId(), rights) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), rights, ACLMASK_ANY) !=
			ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, target->name);
}

/*
 * Whether rows of the table refer to others of it.
 */
static bool
references_itself(Relation relation)
{
	ListCell *cell;

	foreach(cell, RelationGetFKeyList(relation))
		if (lfirst_node(ForeignKeyCacheInfo, cell)->confrelid ==
			RelationGetRelid(relation))
			return true;
	return false;
}

/*
 * Raise unless a column of that name can be part of a key.
 */
static void
check_key_column(SyncTarget *target, const char *name)
{
	AttrNumber number = get_attnum(RelationGetRelid(target->relation), name);
	Form_pg_attribute column;

	if (number <= 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("key column \"%s\" of table \"%s\" does not exist",
					   name,
					   target->name));
	column = TupleDescAttr(RelationGetDescr(target->relation), number - 1);
	if (column->attgenerated)
		ereport(ERROR,
				errcode(ERRCODE_GENERATED_ALWAYS),
				errmsg("key column \"%s\" of table \"%s\" is a generated column",
					   name,
					   target->name),
				errhint("Let the key be the columns that it is generated from."));
}

/*
 * Whether an index lets no two rows have the same values in just these columns.
 */
static bool
is_key_index(Relation table, Oid index_oid, Bitmapset *key)
{
	Relation index = index_open(index_oid, AccessShareLock);
	Form_pg_index form = index->rd_index;
	Bitmapset *columns = NULL;
	bool unique = form->indnkeyatts > 0;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		/* an expression has no number */
		columns = bms_add_member(columns, Max(0, form->indkey.values[i]));
		unique = unique && tells_apart(table, index, i);
	}
	unique = unique && form->indisunique && form->indisvalid &&
			 form->indimmediate && RelationGetIndexPredicate(index) == NIL &&
			 bms_equal(columns, key);
	index_close(index, AccessShareLock);
	return unique;
}

/*
 * Whether a column of an index takes those values for different that the
 * column's own equality does.
 */
static bool
tells_apart(Relation table, Relation index, int i)
{
	AttrNumber number = index->rd_index->indkey.values[i];
	Oid collation = index->rd_indcollation[i];
	Form_pg_attribute column;

	if (number <= 0)
		return false;
	column = TupleDescAttr(RelationGetDescr(table), number - 1);
	if (collation != column->attcollation &&
		!(sync_kit_order_is_by_bytes(column) &&
		  get_collation_isdeterministic(collation)))
		return false;
	return get_opfamily_member(index->rd_opfamily[i],
							   index->rd_opcintype[i],
							   index->rd_opcintype[i],
							   BTEqualStrategyNumber) ==
		   lookup_type_cache(column->atttypid, TYPECACHE_EQ_OPR)->eq_opr;
}
