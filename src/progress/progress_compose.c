/*-------------------------------------------------------------------------
 *
 * progress_compose.c
 *	  The SQL of reconciliation: one statement a rule.
 *
 * Each statement begins with the evidence, one row a key:
 *
 *		WITH evidence AS MATERIALIZED (SELECT key, count(*) AS sync_rows,
 *			counters ... FROM teams GROUP BY key)
 *
 * and joins it to the progress relation.  A key without a row there is added,
 * a row that is not done or counts otherwise is updated; nothing else is
 * written.  The dry run is the same statement with SELECT in the place of
 * INSERT and UPDATE, and drift is its rows.
 *
 * Values are quoted into the text, so that the same text runs here and on a
 * foreign server; only the keys of a tracked rule are parameters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

static void append_added(StringInfo sql, SyncRule *rule, bool writes);
static void append_updated(StringInfo sql, SyncRule *rule, bool writes);
static void append_assignments(StringInfo sql, SyncRule *rule);
static void append_changes(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_totals(StringInfo sql, SyncRule *rule);
static void append_headings(StringInfo sql, SyncRule *rule, SyncScope *scope);

/*
 * Compose the statement that reconciles a rule, or, without "writes", finds
 * out what it would do.  Its rows have six columns of text and their order, and
 * the first column says what the others are:
 *		total: rows read, keys, added, updated, keys that fail the validation
 *		missing: position of a key column, rows without a value in it
 *		change: action, competition, other key columns, rows of evidence
 *		heading: competition, rows of evidence, keys
 * The result lives in the current memory context.
 */
char *
sync_progress_compose_run(SyncRule *rule, SyncScope *scope, bool writes)
{
	StringInfoData sql;

	initStringInfo(&sql);
	sync_progress_append_evidence(&sql, rule, scope);
	append_added(&sql, rule, writes);
	append_updated(&sql, rule, writes);
	append_changes(&sql, rule, scope);
	append_totals(&sql, rule);
	append_headings(&sql, rule, scope);
	return sql.data;
}

/*
 * , added AS (...): the keys that have no row in the progress relation.
 */
static void
append_added(StringInfo sql, SyncRule *rule, bool writes)
{
	ListCell *cell;
	int n = list_length(rule->key);

	appendStringInfoString(sql, ", added AS MATERIALIZED (");
	if (writes)
	{
		appendStringInfo(sql,
						 "INSERT INTO %s AS p (",
						 rule->progress->qualified);
		sync_progress_append_names(sql, rule->progress_key, "");
		appendStringInfo(sql, ", %s", sync_kit_quote(rule->status));
		if (rule->completed_at)
			appendStringInfo(sql, ", %s", sync_kit_quote(rule->completed_at));
		foreach(cell, rule->counters)
			appendStringInfo(sql,
							 ", %s",
							 sync_kit_quote(((SyncCounter *) lfirst(cell))
												->column));
		foreach(cell, rule->inserts)
			appendStringInfo(sql,
							 ", %s",
							 sync_kit_quote(((SyncInsertColumn *) lfirst(cell))
												->column));
		appendStringInfoString(sql, ") ");
	}
	appendStringInfoString(sql, "SELECT ");
	sync_progress_append_names(sql, rule->key, "e.");
	if (writes)
	{
		appendStringInfo(sql, ", %s", sync_progress_done_value(rule));
		if (rule->completed_at)
			appendStringInfo(sql,
							 ", %s",
							 sync_progress_typed(rule,
												 rule->completed_at,
												 "now()"));
		for (int i = 0; i < list_length(rule->counters); i++)
			appendStringInfo(sql, ", e.sync_c%d", i);
		for (int i = 0; i < list_length(rule->inserts); i++)
			appendStringInfo(sql, ", %s", sync_progress_insert_value(rule, i));
	}
	appendStringInfoString(sql, " FROM evidence e");
	if (writes)
		sync_progress_append_lookups(sql, rule);
	sync_progress_append_usable(sql, rule);
	sync_progress_append_absent(sql, rule);
	if (writes)
	{
		appendStringInfoString(sql, " RETURNING ");
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%sp.%s AS %s",
							 i > 0 ? ", " : "",
							 sync_kit_quote(list_nth(rule->progress_key, i)),
							 sync_kit_quote(list_nth(rule->key, i)));
	}
	appendStringInfoString(sql, ")");
}

/*
 * , updated AS (...): the keys whose row is not done or counts otherwise.
 */
static void
append_updated(StringInfo sql, SyncRule *rule, bool writes)
{
	appendStringInfoString(sql, ", updated AS MATERIALIZED (");
	if (writes)
	{
		appendStringInfo(sql, "UPDATE %s AS p SET ", rule->progress->qualified);
		append_assignments(sql, rule);
		appendStringInfoString(sql, " FROM evidence e");
	}
	else
	{
		appendStringInfoString(sql, "SELECT ");
		sync_progress_append_names(sql, rule->key, "e.");
		appendStringInfo(sql,
						 " FROM evidence e CROSS JOIN %s p",
						 rule->progress->qualified);
	}
	sync_progress_append_usable(sql, rule);
	appendStringInfoString(sql, " AND ");
	sync_progress_append_match(sql, rule);
	sync_progress_append_differs(sql, rule);
	if (writes)
	{
		appendStringInfoString(sql, " RETURNING ");
		sync_progress_append_names(sql, rule->key, "e.");
	}
	appendStringInfoString(sql, ")");
}

/*
 * SET: status, completed_at and the counters.
 */
static void
append_assignments(StringInfo sql, SyncRule *rule)
{
	ListCell *cell;

	appendStringInfo(sql,
					 "%s = %s",
					 sync_kit_quote(rule->status),
					 sync_progress_done_value(rule));
	if (rule->completed_at)
		appendStringInfo(sql,
						 ", %s = %s",
						 sync_kit_quote(rule->completed_at),
						 sync_progress_typed(rule, rule->completed_at, "now()"));
	foreach(cell, rule->counters)
		appendStringInfo(sql,
						 ", %s = e.sync_c%d",
						 sync_kit_quote(((SyncCounter *) lfirst(cell))->column),
						 foreach_current_index(cell));
}

/*
 * , changes AS (...): the first changes in the order of their keys, as many
 * as the report may list.
 */
static void
append_changes(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	const char *first = sync_kit_quote(list_nth(rule->key, rule->competition));

	appendStringInfoString(sql,
						   ", changes AS MATERIALIZED (SELECT *,"
						   " row_number() OVER () AS sync_n FROM (SELECT * FROM"
						   " (SELECT 'add' AS sync_action, * FROM added"
						   " UNION ALL SELECT 'update', * FROM updated) AS both_kinds"
						   " ORDER BY ");
	appendStringInfoString(sql, first);
	for (int i = 0; i < list_length(rule->key); i++)
		if (i != rule->competition)
			appendStringInfo(sql,
							 ", %s",
							 sync_kit_quote(list_nth(rule->key, i)));
	appendStringInfo(sql, " LIMIT %d) AS listed) ", scope->max_details);
}

/*
 * The rows "total", "missing" and "change" of the statement's result.
 */
static void
append_totals(StringInfo sql, SyncRule *rule)
{
	const char *whole = sync_progress_whole_key(rule, "");
	StringInfoData match;
	StringInfoData rest;
	int n = list_length(rule->key);

	initStringInfo(&match);
	initStringInfo(&rest);
	for (int i = 0; i < n; i++)
	{
		const char *name = sync_kit_quote(list_nth(rule->key, i));

		appendStringInfo(&match,
						 "%se.%s = c.%s",
						 i > 0 ? " AND " : "",
						 name,
						 name);
		if (i != rule->competition)
			appendStringInfo(&rest, ", c.%s", name);
	}

	appendStringInfo(sql,
					 "SELECT 'total' AS kind, coalesce(sum(sync_rows), 0)::text AS c1,"
					 " count(*) FILTER (WHERE %s)::text AS c2,"
					 " (SELECT count(*) FROM added)::text AS c3,"
					 " (SELECT count(*) FROM updated)::text AS c4, ",
					 whole);
	if (rule->validation)
		appendStringInfo(sql,
						 "count(*) FILTER (WHERE NOT sync_valid AND %s)::text",
						 whole);
	else
		appendStringInfoString(sql, "'0'");
	appendStringInfoString(sql, " AS c5, 0 AS n FROM evidence");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 " UNION ALL SELECT 'missing', '%d', sum(sync_rows)::text,"
						 " NULL, NULL, NULL, 0 FROM evidence WHERE %s IS NULL"
						 " HAVING count(*) > 0",
						 i,
						 sync_kit_quote(list_nth(rule->key, i)));
	appendStringInfo(sql,
					 " UNION ALL SELECT 'change', sync_action, c.%s::text, %s%s%s,"
					 " e.sync_rows::text, NULL, sync_n"
					 " FROM changes c LEFT JOIN evidence e ON %s",
					 sync_kit_quote(list_nth(rule->key, rule->competition)),
					 n > 1 ? "concat_ws(', '" : "NULL",
					 rest.data,
					 n > 1 ? ")" : "",
					 match.data);
}

/*
 * The rows "heading": for each competition of which a change is listed, all of
 * its evidence.  A tracked rule has read only a part of that.
 */
static void
append_headings(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	const char *name = sync_kit_quote(list_nth(rule->key, rule->competition));
	ListCell *cell;

	appendStringInfo(sql,
					 " UNION ALL SELECT 'heading', %s::text, sum(sync_rows)::text,"
					 " count(*) FILTER (WHERE %s)::text, NULL, NULL, 0 FROM ",
					 name,
					 sync_progress_whole_key(rule, ""));
	if (scope->touched)
		sync_progress_append_key_counts(sql, rule);
	else
		appendStringInfoString(sql, "evidence");
	appendStringInfo(sql, " WHERE %s IN (SELECT %s FROM changes", name, name);
	if (scope->headed)
	{
		appendStringInfo(sql,
						 " UNION ALL SELECT CAST(headed AS %s) FROM unnest(ARRAY[",
						 sync_progress_key_type(rule, rule->competition));
		foreach(cell, scope->headed)
			appendStringInfo(sql,
							 "%s%s",
							 foreach_current_index(cell) > 0 ? ", " : "",
							 quote_literal_cstr(lfirst(cell)));
		appendStringInfoString(sql, "]) AS headed");
	}
	appendStringInfo(sql, ") GROUP BY %s ORDER BY n", name);
}
