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

/*
 * The key columns of the evidence CTE "e".
 */
void
sync_progress_append_keys(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
		appendStringInfo(sql,
						 "%se.%s",
						 i > 0 ? ", " : "",
						 sync_kit_quote(list_nth(rule->key, i)));
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
 * WHERE: only keys without a NULL in them, and valid ones.
 */
void
sync_progress_append_whole_keys(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
		appendStringInfo(sql,
						 "%s e.%s IS NOT NULL",
						 i > 0 ? " AND" : " WHERE",
						 sync_kit_quote(list_nth(rule->key, i)));
	if (rule->validation)
		appendStringInfoString(sql, " AND e.sync_valid");
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
 * that is neither NULL nor empty.
 */
void
sync_progress_append_lookups(StringInfo sql, SyncRule *rule)
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
							 "CAST(%s AS %s) AS sync_l%d_k%d, ",
							 sync_kit_quote(list_nth(rule->key, i)),
							 sync_progress_key_type(rule, i),
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
	return psprintf("CAST(%s AS %s)",
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
