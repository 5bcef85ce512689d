/*-------------------------------------------------------------------------
 *
 * merge_target.c
 *	  The table that is merged into.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "merge/merge.h"

/* first half of the advisory lock that two runs of one target exclude by */
#define LOCK_SPACE 0x73796E63

static void check_kind(Relation relation);
static bool is_key_index(Oid index, Bitmapset *key);

/*
 * Open the table of that name, written as in SQL, so that its columns stay as
 * they are until the end of the transaction.  Raises where it is no table.
 */
SyncTarget *
sync_merge_open_target(const char *name)
{
	SyncTarget *target = palloc0(sizeof(SyncTarget));
	RangeVar *range;
	Oid relid;

	sync_kit_check_relation_name(name, "the target");
	range = makeRangeVarFromNameList(sync_compat_name_list(name));
	relid = RangeVarGetRelid(range, AccessShareLock, true);
	if (!OidIsValid(relid))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table \"%s\" does not exist", name),
				errhint("Write it as in SQL, SCHEMA.NAME, in double quotes where it has capitals."));
	target->relation = table_open(relid, NoLock);
	check_kind(target->relation);
	target->name = pstrdup(RelationGetRelationName(target->relation));
	target->qualified =
		quote_qualified_identifier(get_namespace_name(RelationGetNamespace(target
																			   ->relation)),
								   target->name);
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
		AttrNumber number =
			get_attnum(RelationGetRelid(target->relation), lfirst(cell));

		if (number <= 0)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("key column \"%s\" of table \"%s\" does not exist",
						   (char *) lfirst(cell),
						   target->name));
		columns = bms_add_member(columns, number);
		appendStringInfo(&names,
						 "%s%s",
						 names.len > 0 ? ", " : "",
						 quote_identifier(lfirst(cell)));
	}

	foreach(cell, RelationGetIndexList(target->relation))
		if (is_key_index(lfirst_oid(cell), columns))
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
 * Wait until no other run writes into the target, and keep others waiting until
 * the end of the transaction.
 */
void
sync_merge_lock_target(SyncTarget *target)
{
	(void)
		DirectFunctionCall2(pg_advisory_xact_lock_int4,
							Int32GetDatum(LOCK_SPACE),
							Int32GetDatum((int32)
											  RelationGetRelid(target
																   ->relation)));
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
 * Whether an index lets no two rows have the same values in just these columns.
 */
static bool
is_key_index(Oid index_oid, Bitmapset *key)
{
	Relation index = index_open(index_oid, AccessShareLock);
	Form_pg_index form = index->rd_index;
	Bitmapset *columns = NULL;
	bool unique;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		/* an expression has no number and makes the sets differ */
		columns = bms_add_member(columns, Max(0, form->indkey.values[i]));
	}
	unique = form->indisunique && form->indisvalid && form->indimmediate &&
			 RelationGetIndexPredicate(index) == NIL && bms_equal(columns, key);
	index_close(index, AccessShareLock);
	return unique;
}
