/*-------------------------------------------------------------------------
 *
 * progress_clause.c
 *	  The clauses that the statements of reconciliation are made of.
 *
 * In all of them "e" is a row of the evidence, "p" one of the progress
 * relation.  Strings live in the current memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

static char *lookup_key(SyncRule *rule, SyncInsertColumn *insert, int i);

/*
 * A list of column names, each behind "prefix", as "e.".
 */
void
sync_progress_append_names(StringInfo sql, List *names, const char *prefix)
{
	ListCell *cell;

	foreach(cell, names)
		appendStringInfo(sql,
						 "%s%s%s",
						 foreach_current_index(cell) > 0 ? ", " : "",
						 prefix,
						 sync_kit_quote(lfirst(cell)));
}

/*
 * 1, 2, ... n
 */
void
sync_progress_append_ordinals(StringInfo sql, int n)
{
	for (int i = 1; i <= n; i++)
		appendStringInfo(sql, "%s%d", i > 1 ? ", " : "", i);
}

/*
 * The type of a key column in the progress relation.
 */
const char *
sync_progress_key_type(SyncRule *rule, int i)
{
	return sync_progress_column(rule->progress, list_nth(rule->progress_key, i))
		->type;
}

/*
 * The condition that no key column of the evidence is NULL.
 */
char *
sync_progress_whole_key(SyncRule *rule, const char *prefix)
{
	StringInfoData whole;
	ListCell *cell;

	initStringInfo(&whole);
	foreach(cell, rule->key)
		appendStringInfo(&whole,
						 "%s%s%s IS NOT NULL",
						 foreach_current_index(cell) > 0 ? " AND " : "",
						 prefix,
						 sync_kit_quote(lfirst(cell)));
	return whole.data;
}

/*
 * WHERE: only keys without a NULL in them, and valid ones.
 */
void
sync_progress_append_usable(StringInfo sql, SyncRule *rule)
{
	appendStringInfo(sql,
					 " WHERE %s%s",
					 sync_progress_whole_key(rule, "e."),
					 rule->validation ? " AND e.sync_valid" : "");
}

/*
 * AND the key has no row in the progress relation.
 */
void
sync_progress_append_absent(StringInfo sql, SyncRule *rule)
{
	appendStringInfo(sql,
					 " AND NOT EXISTS (SELECT FROM %s p WHERE ",
					 rule->progress->qualified);
	sync_progress_append_match(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * The key of the progress row "p" is that of the evidence "e".
 */
void
sync_progress_append_match(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
		appendStringInfo(sql,
						 "%sp.%s = e.%s",
						 i > 0 ? " AND " : "",
						 sync_kit_quote(list_nth(rule->progress_key, i)),
						 sync_kit_quote(list_nth(rule->key, i)));
}

/*
 * AND the row "p" is not what the evidence "e" says.
 */
void
sync_progress_append_differs(StringInfo sql, SyncRule *rule)
{
	ListCell *cell;

	appendStringInfo(sql,
					 " AND (p.%s IS DISTINCT FROM %s",
					 sync_kit_quote(rule->status),
					 sync_progress_done_value(rule));
	foreach(cell, rule->counters)
		appendStringInfo(sql,
						 " OR p.%s IS DISTINCT FROM e.sync_c%d",
						 sync_kit_quote(((SyncCounter *) lfirst(cell))->column),
						 foreach_current_index(cell));
	appendStringInfoString(sql, ")");
}

/*
 * LEFT JOIN each lookup relation, reduced to one row a key: the least value
 * that is neither NULL nor empty.  Only the keys in "wanted" are looked up, a
 * CTE and a condition on its rows.
 */
void
sync_progress_append_lookups(StringInfo sql, SyncRule *rule, const char *wanted)
{
	ListCell *cell;

	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		int n = list_length(rule->key);
		int at = foreach_current_index(cell);
		const char *source;

		if (insert->lookup == NULL || insert->source == NULL)
			continue;

		source = sync_kit_quote(insert->source);
		appendStringInfoString(sql, " LEFT JOIN (SELECT DISTINCT ON (");
		sync_progress_append_ordinals(sql, n);
		appendStringInfoString(sql, ") ");
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%s AS sync_l%d_k%d, ",
							 lookup_key(rule, insert, i),
							 at,
							 i);
		appendStringInfo(sql,
						 "%s AS sync_l%d FROM %s WHERE %s IS NOT NULL",
						 source,
						 at,
						 insert->lookup->qualified,
						 source);
		if (sync_progress_column(insert->lookup, insert->source)->category ==
			'S')
			appendStringInfo(sql, " AND %s <> ''", source);
		appendStringInfoString(sql, " AND (");
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%s%s",
							 i > 0 ? ", " : "",
							 lookup_key(rule, insert, i));
		appendStringInfoString(sql, ") IN (SELECT ");
		sync_progress_append_names(sql, rule->key, "");
		appendStringInfo(sql, " FROM %s)", wanted);
		appendStringInfoString(sql, " ORDER BY ");
		sync_progress_append_ordinals(sql, n + 1);
		appendStringInfo(sql, ") AS lookup%d ON ", at);
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%ssync_l%d_k%d = e.%s",
							 i > 0 ? " AND " : "",
							 at,
							 i,
							 sync_kit_quote(list_nth(rule->key, i)));
	}
}

/*
 * A key column of a lookup relation, in the type and collation of the progress
 * relation's.
 */
static char *
lookup_key(SyncRule *rule, SyncInsertColumn *insert, int i)
{
	SyncColumn *to =
		sync_progress_column(rule->progress, list_nth(rule->progress_key, i));
	SyncColumn *from =
		sync_progress_column(insert->lookup, list_nth(rule->key, i));
	char *value =
		psprintf("CAST(%s AS %s)", sync_kit_quote(from->name), to->type);

	if (from->collation && to->collation &&
		strcmp(from->collation, to->collation) != 0)
		value = psprintf("%s COLLATE %s", value, to->collation);
	return value;
}

/*
 * The value of an insert column of a new row.
 */
char *
sync_progress_insert_value(SyncRule *rule, int i)
{
	SyncInsertColumn *insert = list_nth(rule->inserts, i);
	char *value = "NULL";
	char *fallback = "NULL";

	if (insert->source)
		value = psprintf(insert->lookup ? "sync_l%d" : "e.sync_i%d", i);
	if (insert->fallback)
		fallback = psprintf("(%s\n)", insert->fallback);
	return psprintf("coalesce(%s, %s)",
					sync_progress_typed(rule, insert->column, value),
					sync_progress_typed(rule, insert->column, fallback));
}

/*
 * An expression in the type of a column of the progress relation.
 */
char *
sync_progress_typed(SyncRule *rule, const char *column, const char *expression)
{
	return psprintf("CAST(%s\n AS %s)",
					expression,
					sync_progress_column(rule->progress, column)->type);
}

/*
 * The value of the status column that says "done".
 */
char *
sync_progress_done_value(SyncRule *rule)
{
	return sync_progress_typed(rule,
							   rule->status,
							   quote_literal_cstr(rule->done_value));
}
