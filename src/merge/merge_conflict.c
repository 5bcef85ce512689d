/*-------------------------------------------------------------------------
 *
 * merge_conflict.c
 *	  The SQL that finds rows in each other's way: unique indexes and foreign
 *	  keys, against what is there and among the rows that would be written.
 *
 * The rows that would be written are "sync_written", or "s" with their place; the
 * target is "t".  A row of the target that would be written over or deleted is in
 * nobody's way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"

#include "kit/kit_compat_table.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "merge/merge_compose.h"
#include "merge/merge_foresee.h"

#define PLACE		   "\"" SYNC_PLACE_COLUMN "\""
#define ACTION		   "\"" SYNC_ACTION_COLUMN "\""
#define IS(action)	   " OPERATOR(pg_catalog.=) '" action "'"
#define IS_NOT(action) " OPERATOR(pg_catalog.<>) '" action "'"

/* the rows that would be written, with their place; as "s" */
#define NUMBERED                                             \
	"(SELECT w.*, pg_catalog.row_number() OVER () AS " PLACE \
	" FROM sync_written AS w) AS s"

/* Gathers conflicts, and the SQL that finds them */
typedef struct Finder
{
	SyncMerge *merge;
	List *conflicts; /* SyncConflict */
	StringInfoData sql;
} Finder;

static void find_all(Finder *finder);
static const char *tried(SyncMerge *merge);
static bool has_columns(SyncMerge *merge, Bitmapset *numbers);
static bool is_of_key(SyncMerge *merge, Relation index);
static void add_index(Finder *finder, Oid index);
static void append_values(Finder *finder, Relation index);
static void append_terms(StringInfo sql, List *terms);
static void append_condition(StringInfo sql,
							 Relation table,
							 Relation index,
							 const char *alias,
							 List *terms);
static Bitmapset *columns_of(Relation index);
static List *index_terms(Relation table, Relation index, const char *alias);
static char *index_predicate(Relation table, Relation index, const char *alias);
static void append_held(Finder *finder,
						Relation index,
						List *written,
						List *there);
static void add_reference(Finder *finder, ForeignKeyCacheInfo *key);
static bool may_read(Oid table);
static void append_missing(Finder *finder, ForeignKeyCacheInfo *key);
static void begin_conflict(Finder *finder, int sqlstate, const char *message);
static const char *column_of(SyncMerge *merge, AttrNumber number);

/*
 * The conflicts that can be, a list of SyncConflict.
 */
List *
sync_merge_conflicts(SyncMerge *merge)
{
	Finder finder = {.merge = merge};

	initStringInfo(&finder.sql);
	find_all(&finder);
	return finder.conflicts;
}

/*
 * SELECT those that there are: the place of the row, the number of the conflict in
 * the list, the value by which rows exclude each other, whether the row is excluded
 * by one that stays as it is, and whether the value is one that it gives up.  NULL
 * where there can be none.
 */
char *
sync_merge_compose_conflicts(SyncMerge *merge)
{
	Finder finder = {.merge = merge};

	initStringInfo(&finder.sql);
	find_all(&finder);
	if (finder.conflicts == NIL)
		return NULL;
	return psprintf("SELECT f.place, f.conflict, f.value, f.held, f.old "
					"FROM (%s) AS f "
					"ORDER BY f.old DESC, f.action DESC, f.place",
					finder.sql.data);
}

/*
 * SELECT the rows that would be written, updates first: place, action, number, and
 * all columns of the table.
 */
char *
sync_merge_compose_written(SyncMerge *merge)
{
	TupleDesc columns = RelationGetDescr(merge->target->relation);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "SELECT s." PLACE ", s." ACTION
						   ", s.\"" SYNC_NUMBER_COLUMN "\"");
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (column->attisdropped)
			appendStringInfoString(&sql, ", NULL");
		else
			appendStringInfo(&sql,
							 ", %s.%s",
							 column_of(merge, i + 1) ? "s" : "t",
							 sync_kit_quote(NameStr(column->attname)));
	}
	appendStringInfo(&sql,
					 " FROM " NUMBERED " LEFT JOIN %s AS t ON ",
					 merge->target->rows);
	if (merge->nkeys > 0)
		appendStringInfo(&sql,
						 "s." ACTION IS(SYNC_WRITTEN_UPDATE) " AND %s",
						 sync_merge_compose_join(merge));
	else
		appendStringInfoString(&sql, "false");
	appendStringInfoString(&sql,
						   " WHERE s." ACTION
							   IS_NOT(SYNC_WRITTEN_DELETE) " ORDER BY s." ACTION
														   " DESC, s." PLACE);
	return sql.data;
}

/*
 * Gather all.
 */
static void
find_all(Finder *finder)
{
	Relation table = finder->merge->target->relation;
	ListCell *cell;

	foreach(cell, RelationGetIndexList(table))
		add_index(finder, lfirst_oid(cell));
	/* rows of other streams of a group may be what a key refers to */
	if (!finder->merge->together)
		foreach(cell, RelationGetFKeyList(table))
			add_reference(finder, lfirst_node(ForeignKeyCacheInfo, cell));
}

/*
 * The condition that a row "s" is one of those that are tried.
 */
static const char *
tried(SyncMerge *merge)
{
	bool inserts = sync_merge_tries(merge, false);
	bool updates = sync_merge_tries(merge, true);

	return inserts && updates ? "s." ACTION IS_NOT(SYNC_WRITTEN_DELETE)
		   : inserts		  ? "s." ACTION IS(SYNC_WRITTEN_INSERT)
							  : "s." ACTION IS(SYNC_WRITTEN_UPDATE);
}

/*
 * Whether the source brings all columns of these numbers.
 */
static bool
has_columns(SyncMerge *merge, Bitmapset *numbers)
{
	for (int i = -1; (i = bms_next_member(numbers, i)) >= 0;)
		if (column_of(merge, i) == NULL)
			return false;
	return true;
}

/*
 * Whether an index is one by which the key is told apart: nothing new is in it.
 */
static bool
is_of_key(SyncMerge *merge, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (form->indnkeyatts != merge->nkeys ||
		RelationGetIndexExpressions(index) != NIL ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		const char *name = column_of(merge, form->indkey.values[i]);
		bool found = false;

		for (int k = 0; name && k < merge->nkeys; k++)
			found |=
				strcmp(name, NameStr(TupleDescAttr(merge->desc, k)->attname)) ==
				0;
		if (!found)
			return false;
	}
	return true;
}

/*
 * Add a unique index of which the source brings all columns.
 */
static void
add_index(Finder *finder, Oid oid)
{
	SyncMerge *merge = finder->merge;
	Relation index = index_open(oid, AccessShareLock);
	Form_pg_index form = index->rd_index;

	if (form->indisunique && form->indisready && !is_of_key(merge, index) &&
		has_columns(merge, columns_of(index)))
	{
		begin_conflict(finder,
					   ERRCODE_UNIQUE_VIOLATION,
					   psprintf("duplicate key value violates unique constraint \"%s\"",
								RelationGetRelationName(index)));
		((SyncConflict *) llast(finder->conflicts))->deferrable =
			!form->indimmediate;
		append_values(finder, index);
	}
	index_close(index, AccessShareLock);
}

/*
 * SELECT rows that have the same in an index as others, or as the target: what they
 * would have, and of changed ones what they have.
 */
static void
append_values(Finder *finder, Relation index)
{
	SyncMerge *merge = finder->merge;
	Relation table = merge->target->relation;
	StringInfo sql = &finder->sql;
	List *written = index_terms(table, index, "s");
	List *there = index_terms(table, index, "t");
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < list_length(written); i++)
		appendStringInfo(&names, "%sm.e%d", i > 0 ? ", " : "", i);
	appendStringInfo(sql,
					 "SELECT n.place, n.action, %d AS conflict, n.value, n.held,"
					 " n.old FROM (SELECT m.*, pg_catalog.dense_rank() OVER"
					 " (ORDER BY %s) AS value, pg_catalog.min(m.place) OVER"
					 " (PARTITION BY %s) AS first, pg_catalog.max(m.place) OVER"
					 " (PARTITION BY %s) AS last FROM (SELECT s." PLACE
					 " AS place, s." ACTION " AS action, ",
					 list_length(finder->conflicts) - 1,
					 names.data,
					 names.data,
					 names.data);
	append_held(finder, index, written, there);
	appendStringInfoString(sql, " AS held, false AS old");
	append_terms(sql, written);
	appendStringInfo(sql, " FROM " NUMBERED " WHERE %s", tried(merge));
	append_condition(sql, table, index, "s", written);
	if (merge->nkeys > 0)
	{
		appendStringInfoString(sql,
							   " UNION ALL SELECT s." PLACE ", s." ACTION
							   ", false, true");
		append_terms(sql, there);
		appendStringInfo(sql,
						 " FROM " NUMBERED " JOIN %s AS t ON %s WHERE s." ACTION
							 IS(SYNC_WRITTEN_UPDATE),
						 merge->target->rows,
						 sync_merge_compose_join(merge));
		append_condition(sql, table, index, "t", there);
	}
	appendStringInfoString(sql,
						   ") AS m) AS n WHERE n.held OR n.first"
						   " OPERATOR(pg_catalog.<>) n.last");
}

/*
 * Append what an index has of a row to a list, as columns e0, e1 and so on.
 */
static void
append_terms(StringInfo sql, List *terms)
{
	ListCell *cell;

	foreach(cell, terms)
		appendStringInfo(sql,
						 ", %s AS e%d",
						 (char *) lfirst(cell),
						 foreach_current_index(cell));
}

/*
 * Append to a condition that an index has a row, and lets no other one have the
 * same.
 */
static void
append_condition(StringInfo sql,
				 Relation table,
				 Relation index,
				 const char *alias,
				 List *terms)
{
	char *predicate = index_predicate(table, index, alias);
	ListCell *cell;

	foreach(cell, terms)
		if (!index->rd_index->indnullsnotdistinct)
			appendStringInfo(sql,
							 " AND %s" SYNC_HAS_VALUE,
							 (char *) lfirst(cell));
	if (predicate)
		appendStringInfo(sql, " AND (%s)", predicate);
}

/*
 * The columns that an index looks at, by their numbers.
 */
static Bitmapset *
columns_of(Relation index)
{
	Bitmapset *attributes = NULL;
	Bitmapset *columns = NULL;

	pull_varattnos((Node *) RelationGetIndexExpressions(index), 1, &attributes);
	pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &attributes);
	for (int i = -1; (i = bms_next_member(attributes, i)) >= 0;)
		if (i + FirstLowInvalidHeapAttributeNumber > 0)
			columns =
				bms_add_member(columns, i + FirstLowInvalidHeapAttributeNumber);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		if (index->rd_index->indkey.values[i] > 0)
			columns =
				bms_add_member(columns, index->rd_index->indkey.values[i]);
	return columns;
}

/*
 * What an index has of a row, as SQL.
 */
static List *
index_terms(Relation table, Relation index, const char *alias)
{
	Oid relid = RelationGetRelid(table);
	List *context = deparse_context_for(alias, relid);
	ListCell *expression = list_head(RelationGetIndexExpressions(index));
	List *expressions = RelationGetIndexExpressions(index);
	List *terms = NIL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber number = index->rd_index->indkey.values[i];
		Oid collation = index->rd_indcollation[i];
		char *term;

		if (number > 0)
			term = psprintf("%s.%s",
							alias,
							sync_kit_quote(get_attname(relid, number, false)));
		else
		{
			term = psprintf("(%s)",
							deparse_expression(lfirst(expression),
											   context,
											   true,
											   false));
			expression = lnext(expressions, expression);
		}
		if (OidIsValid(collation))
			term = psprintf("%s COLLATE %s",
							term,
							generate_collation_name(collation));
		terms = lappend(terms, term);
	}
	return terms;
}

/*
 * The predicate of an index, as SQL; NULL where it has none.
 */
static char *
index_predicate(Relation table, Relation index, const char *alias)
{
	List *predicate = RelationGetIndexPredicate(index);

	if (predicate == NIL)
		return NULL;
	return deparse_expression((Node *) make_ands_explicit(predicate),
							  deparse_context_for(alias,
												  RelationGetRelid(table)),
							  true,
							  false);
}

/*
 * Whether a row that stays in the target has what an index has of a row "s".
 */
static void
append_held(Finder *finder, Relation index, List *written, List *there)
{
	SyncMerge *merge = finder->merge;
	StringInfo sql = &finder->sql;
	char *predicate = index_predicate(merge->target->relation, index, "t");

	appendStringInfo(sql,
					 "EXISTS (SELECT FROM %s AS t WHERE true",
					 merge->target->rows);
	for (int i = 0; i < list_length(written); i++)
	{
		Oid type = index->rd_opcintype[i];
		char *sides[] = {list_nth(there, i), list_nth(written, i)};

		appendStringInfo(sql,
						 " AND (%s %s %s%s",
						 sides[0],
						 sync_kit_order_equality(type),
						 sides[1],
						 index->rd_index->indnullsnotdistinct ? "" : ")");
		if (index->rd_index->indnullsnotdistinct)
			appendStringInfo(sql,
							 " OR %s" SYNC_HAS_NO_VALUE
							 " AND %s" SYNC_HAS_NO_VALUE ")",
							 sides[0],
							 sides[1]);
	}
	if (predicate)
		appendStringInfo(sql, " AND (%s)", predicate);
	if (merge->nkeys > 0)
		appendStringInfo(sql,
						 " AND NOT EXISTS (SELECT FROM sync_written AS s WHERE s." ACTION
						 "%s AND %s)",
						 merge->mode == SYNC_MODE_SOFT_DELETE ||
								 merge->gone_stays
							 ? IS(SYNC_WRITTEN_UPDATE)
							 : IS_NOT(SYNC_WRITTEN_INSERT),
						 sync_merge_compose_join(merge));
	appendStringInfoChar(sql, ')');
}

/*
 * Add a foreign key whose columns the source brings, where the caller may look at
 * what it refers to.
 */
static void
add_reference(Finder *finder, ForeignKeyCacheInfo *key)
{
	SyncMerge *merge = finder->merge;
	StringInfo sql = &finder->sql;

	if (key->conrelid != RelationGetRelid(merge->target->relation) ||
		!sync_compat_key_is_enforced(key) || !may_read(key->confrelid))
		return;
	for (int i = 0; i < key->nkeys; i++)
		if (column_of(merge, key->conkey[i]) == NULL)
			return;

	begin_conflict(finder,
				   ERRCODE_FOREIGN_KEY_VIOLATION,
				   psprintf("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
							merge->target->name,
							get_constraint_name(key->conoid)));
	appendStringInfo(sql,
					 "SELECT s." PLACE " AS place, s." ACTION " AS action,"
					 " %d AS conflict, 0::pg_catalog.int8 AS value,"
					 " true AS held, false AS old FROM " NUMBERED " WHERE %s",
					 list_length(finder->conflicts) - 1,
					 tried(merge));
	for (int i = 0; i < key->nkeys; i++)
		appendStringInfo(sql,
						 " AND s.%s" SYNC_HAS_VALUE,
						 sync_kit_quote(column_of(merge, key->conkey[i])));
	append_missing(finder, key);
}

/*
 * Whether the caller sees all rows of a table.
 */
static bool
may_read(Oid table)
{
	Datum schema = ObjectIdGetDatum(get_rel_namespace(table));

	return pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		   check_enable_rls(table, InvalidOid, true) != RLS_ENABLED &&
		   DatumGetBool(DirectFunctionCall2(has_schema_privilege_id,
											schema,
											CStringGetTextDatum("USAGE")));
}

/*
 * The condition that what a row "s" refers to is not there, and will not be.
 */
static void
append_missing(Finder *finder, ForeignKeyCacheInfo *key)
{
	SyncMerge *merge = finder->merge;
	StringInfo sql = &finder->sql;
	bool itself = key->confrelid == key->conrelid;
	bool comes = itself;

	appendStringInfo(sql,
					 " AND NOT EXISTS (SELECT FROM %s%s AS t WHERE true",
					 get_rel_relkind(key->confrelid) == RELKIND_RELATION
						 ? "ONLY "
						 : "",
					 sync_kit_qualified_name(key->confrelid));
	for (int i = 0; i < key->nkeys; i++)
	{
		appendStringInfo(sql,
						 " AND t.%s %s s.%s",
						 sync_kit_quote(get_attname(key->confrelid,
													key->confkey[i],
													false)),
						 sync_kit_order_operator(key->conpfeqop[i]),
						 sync_kit_quote(column_of(merge, key->conkey[i])));
		comes = comes && column_of(merge, key->confkey[i]);
	}
	if (itself && merge->mode == SYNC_MODE_MIRROR && !merge->gone_stays)
		appendStringInfo(sql,
						 " AND NOT EXISTS (SELECT FROM sync_written AS s WHERE s." ACTION
							 IS(SYNC_WRITTEN_DELETE) " AND %s)",
						 sync_merge_compose_join(merge));
	appendStringInfoChar(sql, ')');
	if (!comes)
		return;
	appendStringInfoString(sql,
						   " AND NOT EXISTS (SELECT FROM sync_written AS w"
						   " WHERE w." ACTION IS_NOT(SYNC_WRITTEN_DELETE));
	for (int i = 0; i < key->nkeys; i++)
		appendStringInfo(sql,
						 " AND w.%s %s s.%s",
						 sync_kit_quote(column_of(merge, key->confkey[i])),
						 sync_kit_order_operator(key->conpfeqop[i]),
						 sync_kit_quote(column_of(merge, key->conkey[i])));
	appendStringInfoChar(sql, ')');
}

/*
 * Begin one more conflict, whose SELECT is to be appended.
 */
static void
begin_conflict(Finder *finder, int sqlstate, const char *message)
{
	SyncConflict *conflict = palloc0(sizeof(SyncConflict));

	conflict->sqlstate = sqlstate;
	conflict->message = message;
	finder->conflicts = lappend(finder->conflicts, conflict);
	if (finder->sql.len > 0)
		appendStringInfoString(&finder->sql, " UNION ALL ");
}

/*
 * The name of the column of the table that has that number, where the source
 * brings it; else NULL.
 */
static const char *
column_of(SyncMerge *merge, AttrNumber number)
{
	const char *name =
		get_attname(RelationGetRelid(merge->target->relation), number, true);

	for (int i = 0; name && i < merge->desc->natts; i++)
		if (strcmp(name, NameStr(TupleDescAttr(merge->desc, i)->attname)) == 0)
			return name;
	return NULL;
}
