/*-------------------------------------------------------------------------
 *
 * merge_compose.c
 *	  The SQL of a merge: reading the target, and writing what differs.
 *
 * The target is "t", the staged rows are "s".  Columns that the source does
 * not deliver are not named: defaults and generated columns are the server's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "merge/merge_compose.h"

#define NOW "pg_catalog.now()"

static const char *column_name(SyncMerge *merge, int i);
static void append_columns(StringInfo sql, SyncMerge *merge, const char *prefix);
static void append_set(StringInfo sql, SyncMerge *merge, const char *from);
static void append_distinct(StringInfo sql, SyncMerge *merge, const char *from);
static void append_join(StringInfo sql, SyncMerge *merge);

/*
 * SELECT what is compared, in the order of the key: all rows, or those whose
 * keys are staged in "source".  A row without a value in the key is no one's.
 */
char *
sync_merge_compose_read(SyncMerge *merge, const char *source)
{
	StringInfoData sql;
	const char *separator = " WHERE ";

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_columns(&sql, merge, "t.");
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		appendStringInfo(&sql, ", t.%s", sync_kit_quote(merge->deleted_at));
	appendStringInfo(&sql, " FROM %s AS t", merge->target->rows);
	if (source)
	{
		appendStringInfo(&sql, " JOIN %s AS s ON ", source);
		append_join(&sql, merge);
	}
	for (int i = 0; i < merge->nkeys; i++)
	{
		appendStringInfo(&sql,
						 "%st.%s" SYNC_HAS_VALUE,
						 separator,
						 column_name(merge, i));
		separator = " AND ";
	}
	if (merge->scope)
		appendStringInfo(&sql, "%s%s", separator, merge->scope);
	separator = " ORDER BY ";
	for (int i = 0; i < merge->nkeys; i++)
	{
		const char *column = psprintf("t.%s", column_name(merge, i));

		appendStringInfo(&sql,
						 "%s%s",
						 separator,
						 sync_kit_order_column(column,
											   TupleDescAttr(merge->desc, i)));
		separator = ", ";
	}
	return sql.data;
}

/*
 * SELECT how many rows of the target it is about, but for those that are marked
 * as deleted.
 */
char *
sync_merge_compose_count(SyncMerge *merge)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT pg_catalog.count(*) FROM %s AS t WHERE %s",
					 merge->target->rows,
					 merge->scope ? merge->scope : "true");
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		appendStringInfo(&sql,
						 " AND t.%s IS NULL",
						 sync_kit_quote(merge->deleted_at));
	return sql.data;
}

/*
 * INSERT the staged rows.  On a "conflict" with a row that another session has
 * just added, make that row right instead; where images are kept, leave it to
 * an update, which knows what was there before.
 */
char *
sync_merge_compose_insert(SyncMerge *merge, bool conflict)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s AS t (", merge->target->qualified);
	append_columns(&sql, merge, "");
	if (merge->synced_at)
		appendStringInfo(&sql, ", %s", sync_kit_quote(merge->synced_at));
	/* an identity column that the source delivers is the source's */
	appendStringInfoString(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
	append_columns(&sql, merge, "s.");
	if (merge->synced_at)
		appendStringInfoString(&sql, ", " NOW);
	appendStringInfoString(&sql, " FROM sync_inserted AS s");
	if (!conflict)
		return sql.data;

	appendStringInfoString(&sql, " ON CONFLICT (");
	for (int i = 0; i < merge->nkeys; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", column_name(merge, i));
	if (merge->desc->natts == merge->nkeys || merge->keep)
	{
		appendStringInfoString(&sql, ") DO NOTHING");
		return sql.data;
	}
	appendStringInfoString(&sql, ") DO UPDATE SET ");
	append_set(&sql, merge, "excluded");
	appendStringInfoString(&sql, " WHERE ");
	append_distinct(&sql, merge, "excluded");
	return sql.data;
}

/*
 * UPDATE the rows that are staged in "from"; with only_distinct, those of
 * them that are not right.  Returns NULL where no column can differ.
 */
char *
sync_merge_compose_update(SyncMerge *merge, const char *from, bool only_distinct)
{
	StringInfoData sql;

	if (merge->desc->natts == merge->nkeys &&
		(only_distinct || merge->mode != SYNC_MODE_SOFT_DELETE))
		return NULL;
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET ", merge->target->rows);
	append_set(&sql, merge, "s");
	appendStringInfo(&sql, " FROM %s AS s WHERE ", from);
	append_join(&sql, merge);
	if (only_distinct)
	{
		appendStringInfoString(&sql, " AND ");
		append_distinct(&sql, merge, "s");
	}
	return sql.data;
}

/*
 * UPDATE the time of the rows that were seen and are right.
 */
char *
sync_merge_compose_touch(SyncMerge *merge)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "UPDATE %s AS t SET %s = " NOW
					 " FROM sync_kept AS s WHERE ",
					 merge->target->rows,
					 sync_kit_quote(merge->synced_at));
	append_join(&sql, merge);
	return sql.data;
}

/*
 * DELETE the rows that are gone, staged in "from", or mark them.
 */
char *
sync_merge_compose_delete(SyncMerge *merge, const char *from)
{
	StringInfoData sql;

	initStringInfo(&sql);
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		appendStringInfo(&sql,
						 "UPDATE %s AS t SET %s = " NOW " FROM %s AS s WHERE ",
						 merge->target->rows,
						 sync_kit_quote(merge->deleted_at),
						 from);
	else
		appendStringInfo(&sql,
						 "DELETE FROM %s AS t USING %s AS s WHERE ",
						 merge->target->rows,
						 from);
	append_join(&sql, merge);
	return sql.data;
}

/*
 * The condition that a staged row "s" is for a row "t" of the target.
 */
char *
sync_merge_compose_join(SyncMerge *merge)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_join(&sql, merge);
	return sql.data;
}

/*
 * The name of a column that is merged, quoted.
 */
static const char *
column_name(SyncMerge *merge, int i)
{
	return sync_kit_quote(NameStr(TupleDescAttr(merge->desc, i)->attname));
}

/*
 * The columns that are merged, each after a prefix.
 */
static void
append_columns(StringInfo sql, SyncMerge *merge, const char *prefix)
{
	for (int i = 0; i < merge->desc->natts; i++)
		appendStringInfo(sql,
						 "%s%s%s",
						 i > 0 ? ", " : "",
						 prefix,
						 column_name(merge, i));
}

/*
 * What an update sets: all but the key.
 */
static void
append_set(StringInfo sql, SyncMerge *merge, const char *from)
{
	const char *separator = "";

	for (int i = merge->nkeys; i < merge->desc->natts; i++)
	{
		appendStringInfo(sql,
						 "%s%s = %s.%s",
						 separator,
						 column_name(merge, i),
						 from,
						 column_name(merge, i));
		separator = ", ";
	}
	if (merge->synced_at)
	{
		appendStringInfo(sql,
						 "%s%s = " NOW,
						 separator,
						 sync_kit_quote(merge->synced_at));
		separator = ", ";
	}
	if (merge->mode == SYNC_MODE_SOFT_DELETE)
		appendStringInfo(sql,
						 "%s%s = NULL",
						 separator,
						 sync_kit_quote(merge->deleted_at));
}

/*
 * The condition that a row of the target is not as "from" has it, in memory: a
 * type needs no equality for that, nor one that the search_path finds.
 */
static void
append_distinct(StringInfo sql, SyncMerge *merge, const char *from)
{
	for (int side = 0; side < 2; side++)
	{
		appendStringInfoString(sql,
							   side == 0
								   ? "ROW("
								   : ")::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(");
		for (int i = merge->nkeys; i < merge->desc->natts; i++)
			appendStringInfo(sql,
							 "%s%s.%s",
							 i > merge->nkeys ? ", " : "",
							 side == 0 ? "t" : from,
							 column_name(merge, i));
	}
	appendStringInfoString(sql, ")::pg_catalog.record");
}

/*
 * The condition that a staged row is for a row of the target.
 */
static void
append_join(StringInfo sql, SyncMerge *merge)
{
	for (int i = 0; i < merge->nkeys; i++)
	{
		Oid type = TupleDescAttr(merge->desc, i)->atttypid;

		appendStringInfo(sql,
						 "%st.%s %s s.%s",
						 i > 0 ? " AND " : "",
						 column_name(merge, i),
						 sync_kit_order_equality(type),
						 column_name(merge, i));
	}
}
