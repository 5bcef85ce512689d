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
static char *whole_key(SyncRule *rule);
static void append_headings(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_object(StringInfo sql, SyncRule *rule, const char *side);

/*
 * Compose the statement that reconciles a rule, or, without "writes", finds
 * out what it would do.  Its rows have six columns of text, the first of which
 * says what the others are:
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
 * Compose the query for a rule's drift: rule, relation, action, key, before,
 * after.  The result lives in the current memory context.
 */
char *
sync_progress_compose_drift(SyncRule *rule, SyncScope *scope)
{
	StringInfoData sql;
	int n = list_length(rule->key);

	initStringInfo(&sql);
	sync_progress_append_evidence(&sql, rule, scope);
	appendStringInfo(&sql,
					 "SELECT %s, %s, action, key, before, after FROM (SELECT ",
					 quote_literal_cstr(rule->name),
					 quote_literal_cstr(rule->progress->given));
	sync_progress_append_keys(&sql, rule);
	appendStringInfoString(&sql, ", 'add' AS action, ");
	append_object(&sql, rule, "key");
	appendStringInfoString(&sql, " AS key, NULL::jsonb AS before, ");
	append_object(&sql, rule, "added");
	appendStringInfoString(&sql, " AS after FROM evidence e");
	sync_progress_append_lookups(&sql, rule);
	sync_progress_append_whole_keys(&sql, rule);
	appendStringInfo(&sql,
					 " AND NOT EXISTS (SELECT FROM %s p WHERE ",
					 rule->progress->qualified);
	sync_progress_append_match(&sql, rule);
	appendStringInfoString(&sql, ") UNION ALL SELECT ");
	sync_progress_append_keys(&sql, rule);
	appendStringInfoString(&sql, ", 'update', ");
	append_object(&sql, rule, "key");
	appendStringInfoString(&sql, ", ");
	append_object(&sql, rule, "before");
	appendStringInfoString(&sql, ", ");
	append_object(&sql, rule, "after");
	appendStringInfo(&sql,
					 " FROM evidence e JOIN %s p ON ",
					 rule->progress->qualified);
	sync_progress_append_match(&sql, rule);
	sync_progress_append_whole_keys(&sql, rule);
	sync_progress_append_differs(&sql, rule);
	appendStringInfoString(&sql, ") AS drift ORDER BY ");
	for (int i = 0; i < n; i++)
		appendStringInfo(&sql,
						 "%s%s",
						 i > 0 ? ", " : "",
						 sync_kit_quote(list_nth(rule->key, i)));
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
		foreach(cell, rule->progress_key)
			appendStringInfo(sql, "%s, ", sync_kit_quote(lfirst(cell)));
		appendStringInfoString(sql, sync_kit_quote(rule->status));
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
	sync_progress_append_keys(sql, rule);
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
	sync_progress_append_whole_keys(sql, rule);
	appendStringInfo(sql,
					 " AND NOT EXISTS (SELECT FROM %s p WHERE ",
					 rule->progress->qualified);
	sync_progress_append_match(sql, rule);
	appendStringInfoString(sql, ")");
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
		sync_progress_append_keys(sql, rule);
		appendStringInfo(sql,
						 " FROM evidence e CROSS JOIN %s p",
						 rule->progress->qualified);
	}
	sync_progress_append_whole_keys(sql, rule);
	appendStringInfoString(sql, " AND ");
	sync_progress_append_match(sql, rule);
	sync_progress_append_differs(sql, rule);
	if (writes)
	{
		appendStringInfoString(sql, " RETURNING ");
		sync_progress_append_keys(sql, rule);
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
						   ", changes AS MATERIALIZED (SELECT * FROM"
						   " (SELECT 'add' AS sync_action, * FROM added"
						   " UNION ALL SELECT 'update', * FROM updated) AS both_kinds"
						   " ORDER BY ");
	appendStringInfoString(sql, first);
	for (int i = 0; i < list_length(rule->key); i++)
		if (i != rule->competition)
			appendStringInfo(sql,
							 ", %s",
							 sync_kit_quote(list_nth(rule->key, i)));
	appendStringInfo(sql, " LIMIT %d) ", scope->max_details);
}

/*
 * The rows "total", "missing" and "change" of the statement's result.
 */
static void
append_totals(StringInfo sql, SyncRule *rule)
{
	const char *whole = whole_key(rule);
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
	appendStringInfoString(sql, " AS c5 FROM evidence");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 " UNION ALL SELECT 'missing', '%d', sum(sync_rows)::text,"
						 " NULL, NULL, NULL FROM evidence WHERE %s IS NULL"
						 " HAVING count(*) > 0",
						 i,
						 sync_kit_quote(list_nth(rule->key, i)));
	appendStringInfo(sql,
					 " UNION ALL SELECT 'change', sync_action, c.%s::text, %s%s%s,"
					 " e.sync_rows::text, NULL"
					 " FROM changes c LEFT JOIN evidence e ON %s",
					 sync_kit_quote(list_nth(rule->key, rule->competition)),
					 n > 1 ? "concat_ws(', '" : "NULL",
					 rest.data,
					 n > 1 ? ")" : "",
					 match.data);
}

/*
 * The condition that no column of the key is NULL.
 */
static char *
whole_key(SyncRule *rule)
{
	StringInfoData whole;
	ListCell *cell;

	initStringInfo(&whole);
	foreach(cell, rule->key)
		appendStringInfo(&whole,
						 "%s%s IS NOT NULL",
						 foreach_current_index(cell) > 0 ? " AND " : "",
						 sync_kit_quote(lfirst(cell)));
	return whole.data;
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
					 " count(*) FILTER (WHERE %s)::text, NULL, NULL FROM ",
					 name,
					 whole_key(rule));
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
	appendStringInfo(sql, ") GROUP BY %s", name);
}

/*
 * A jsonb object: the "key", or what a row is "before", "after" an update, or
 * as "added".
 */
static void
append_object(StringInfo sql, SyncRule *rule, const char *side)
{
	bool before = strcmp(side, "before") == 0;
	ListCell *cell;

	appendStringInfoString(sql, "jsonb_build_object(");
	if (strcmp(side, "key") == 0)
	{
		for (int i = 0; i < list_length(rule->key); i++)
			appendStringInfo(sql,
							 "%s%s, e.%s",
							 i > 0 ? ", " : "",
							 quote_literal_cstr(list_nth(rule->progress_key, i)),
							 sync_kit_quote(list_nth(rule->key, i)));
		appendStringInfoString(sql, ")");
		return;
	}

	appendStringInfo(sql, "%s, ", quote_literal_cstr(rule->status));
	if (before)
		appendStringInfo(sql, "p.%s", sync_kit_quote(rule->status));
	else
		appendStringInfoString(sql, sync_progress_done_value(rule));
	if (rule->completed_at)
	{
		appendStringInfo(sql, ", %s, ", quote_literal_cstr(rule->completed_at));
		if (before)
			appendStringInfo(sql, "p.%s", sync_kit_quote(rule->completed_at));
		else
			appendStringInfoString(sql,
								   sync_progress_typed(rule,
													   rule->completed_at,
													   "now()"));
	}
	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		appendStringInfo(sql, ", %s, ", quote_literal_cstr(counter->column));
		if (before)
			appendStringInfo(sql, "p.%s", sync_kit_quote(counter->column));
		else
			appendStringInfo(sql, "e.sync_c%d", foreach_current_index(cell));
	}
	if (strcmp(side, "added") == 0)
		foreach(cell, rule->inserts)
		{
			SyncInsertColumn *insert = lfirst(cell);

			appendStringInfo(sql,
							 ", %s, %s",
							 quote_literal_cstr(insert->column),
							 sync_progress_insert_value(rule,
														foreach_current_index(cell)));
		}
	appendStringInfoString(sql, ")");
}
