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
 * and joins it to the progress relation ("sync_todo").  A key without a row there is
 * added, a row that is not done or counts otherwise is updated; nothing else is
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

static void append_todo(StringInfo sql, SyncRule *rule);
static void append_added(StringInfo sql, SyncRule *rule, bool writes);
static void append_insert(StringInfo sql, SyncRule *rule);
static void append_returning(StringInfo sql, SyncRule *rule);
static void append_updated(StringInfo sql, SyncRule *rule, bool writes);
static void append_assignments(StringInfo sql, SyncRule *rule);
static void append_changes(StringInfo sql,
						   SyncRule *rule,
						   SyncScope *scope,
						   bool writes);
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
	append_todo(&sql, rule);
	append_added(&sql, rule, writes);
	append_updated(&sql, rule, writes);
	append_changes(&sql, rule, scope, writes);
	append_totals(&sql, rule);
	append_headings(&sql, rule, scope);
	return sql.data;
}

/*
 * , todo AS (...): the evidence of the keys whose row is missing (sync_add), or
 * not done, or counts otherwise; a row that is missing differs in its status.
 * A row is found again by its address, which cannot change, since the relation
 * is locked against other writers.
 */
static void
append_todo(StringInfo sql, SyncRule *rule)
{
	appendStringInfo(sql,
					 ", sync_todo AS MATERIALIZED (SELECT e.*, p.%s IS NULL AS sync_add",
					 sync_kit_quote(linitial(rule->progress_key)));
	if (rule->progress->has_addresses)
		appendStringInfoString(sql,
							   ", p.ctid AS sync_ctid, p.tableoid AS sync_table");
	appendStringInfo(sql,
					 " FROM sync_evidence e LEFT JOIN %s p ON ",
					 rule->progress->qualified);
	sync_progress_append_match(sql, rule);
	sync_progress_append_usable(sql, rule);
	sync_progress_append_differs(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * , added AS (...): the rows that are missing.  Without "writes" their values
 * are computed all the same, for the errors that this may raise.
 */
static void
append_added(StringInfo sql, SyncRule *rule, bool writes)
{
	appendStringInfoString(sql, ", sync_added AS MATERIALIZED (");
	if (writes)
		append_insert(sql, rule);
	appendStringInfoString(sql, "SELECT ");
	sync_progress_append_names(sql, rule->key, "e.");
	appendStringInfo(sql, ", %s", sync_progress_done_value(rule));
	if (rule->completed_at)
		appendStringInfo(sql,
						 ", %s",
						 sync_progress_typed(rule, rule->completed_at, "now()"));
	for (int i = 0; i < list_length(rule->counters); i++)
		appendStringInfo(sql, ", e.sync_c%d", i);
	for (int i = 0; i < list_length(rule->inserts); i++)
		appendStringInfo(sql, ", %s", sync_progress_insert_value(rule, i));
	appendStringInfoString(sql, " FROM sync_todo e");
	sync_progress_append_lookups(sql, rule, "sync_todo WHERE sync_add");
	appendStringInfoString(sql, " WHERE e.sync_add");
	if (writes)
		append_returning(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * INSERT INTO the progress relation and its columns.
 */
static void
append_insert(StringInfo sql, SyncRule *rule)
{
	ListCell *cell;

	appendStringInfo(sql, "INSERT INTO %s AS p (", rule->progress->qualified);
	sync_progress_append_names(sql, rule->progress_key, "");
	appendStringInfo(sql, ", %s", sync_kit_quote(rule->status));
	if (rule->completed_at)
		appendStringInfo(sql, ", %s", sync_kit_quote(rule->completed_at));
	foreach(cell, rule->counters)
		appendStringInfo(sql,
						 ", %s",
						 sync_kit_quote(((SyncCounter *) lfirst(cell))->column));
	foreach(cell, rule->inserts)
		appendStringInfo(sql,
						 ", %s",
						 sync_kit_quote(((SyncInsertColumn *) lfirst(cell))
											->column));
	appendStringInfoString(sql, ") ");
}

/*
 * , updated AS (...): the rows that are there and differ.
 */
static void
append_updated(StringInfo sql, SyncRule *rule, bool writes)
{
	appendStringInfoString(sql, ", sync_updated AS MATERIALIZED (");
	if (!writes)
	{
		appendStringInfoString(sql,
							   "SELECT 1 FROM sync_todo WHERE NOT sync_add)");
		return;
	}
	appendStringInfo(sql, "UPDATE %s AS p SET ", rule->progress->qualified);
	append_assignments(sql, rule);
	appendStringInfoString(sql, " FROM sync_todo e WHERE NOT e.sync_add AND ");
	if (rule->progress->has_addresses)
		appendStringInfoString(sql,
							   "p.ctid = e.sync_ctid AND p.tableoid = e.sync_table");
	else
	{
		sync_progress_append_match(sql, rule);
		sync_progress_append_differs(sql, rule);
	}
	append_returning(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * RETURNING the key, where it is to be seen which rows went in.
 */
static void
append_returning(StringInfo sql, SyncRule *rule)
{
	appendStringInfoString(sql, " RETURNING ");
	if (rule->progress->may_differ)
		sync_progress_append_names(sql, rule->progress_key, "p.");
	else
		appendStringInfoChar(sql, '1');
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
 * as the report may list.  Where triggers may keep a row out, only those that
 * went in.
 */
static void
append_changes(StringInfo sql, SyncRule *rule, SyncScope *scope, bool writes)
{
	appendStringInfoString(sql,
						   ", sync_changes AS MATERIALIZED (SELECT *, row_number()"
						   " OVER () AS sync_n FROM (SELECT * FROM sync_todo");
	if (writes && rule->progress->may_differ)
	{
		appendStringInfoString(sql, " WHERE (sync_add AND (");
		sync_progress_append_names(sql, rule->key, "");
		appendStringInfoString(sql,
							   ") IN (SELECT * FROM sync_added)) OR"
							   " (NOT sync_add AND (");
		sync_progress_append_names(sql, rule->key, "");
		appendStringInfoString(sql, ") IN (SELECT * FROM sync_updated))");
	}
	appendStringInfo(sql,
					 " ORDER BY %s, ",
					 sync_kit_quote(list_nth(rule->key, rule->competition)));
	sync_progress_append_names(sql, rule->key, "");
	appendStringInfo(sql, " LIMIT %d) AS listed) ", scope->max_details);
}

/*
 * The rows "total", "missing" and "change" of the statement's result.
 */
static void
append_totals(StringInfo sql, SyncRule *rule)
{
	const char *whole = sync_progress_whole_key(rule, "");
	StringInfoData rest;
	int n = list_length(rule->key);

	initStringInfo(&rest);
	for (int i = 0; i < n; i++)
		if (i != rule->competition)
			appendStringInfo(&rest,
							 ", %s",
							 sync_kit_quote(list_nth(rule->key, i)));

	/* one scan of the evidence for all of its counts */
	appendStringInfoString(sql,
						   "SELECT counted.* FROM (SELECT sum(sync_rows) AS sync_rows");
	appendStringInfo(sql, ", count(*) FILTER (WHERE %s) AS sync_keys", whole);
	if (rule->validation)
		appendStringInfo(sql,
						 ", count(*) FILTER (WHERE NOT sync_valid AND %s)",
						 whole);
	else
		appendStringInfoString(sql, ", 0");
	appendStringInfoString(sql, " AS sync_invalid");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 ", sum(sync_rows) FILTER (WHERE %s IS NULL) AS sync_m%d",
						 sync_kit_quote(list_nth(rule->key, i)),
						 i);
	appendStringInfoString(sql,
						   " FROM sync_evidence) AS sums, LATERAL (VALUES"
						   " ('total', coalesce(sync_rows, 0)::text, sync_keys::text,"
						   " (SELECT count(*) FROM sync_added)::text,"
						   " (SELECT count(*) FROM sync_updated)::text,"
						   " sync_invalid::text, 0)");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 ", ('missing', '%d', coalesce(sync_m%d, 0)::text,"
						 " NULL, NULL, NULL, 0)",
						 i,
						 i);
	appendStringInfoString(sql, ") AS counted (kind, c1, c2, c3, c4, c5, n)");
	appendStringInfo(sql,
					 " UNION ALL SELECT 'change',"
					 " CASE WHEN sync_add THEN 'add' ELSE 'update' END,"
					 " %s::text, %s%s%s, sync_rows::text, NULL, sync_n"
					 " FROM sync_changes",
					 sync_kit_quote(list_nth(rule->key, rule->competition)),
					 n > 1 ? "concat_ws(', '" : "NULL",
					 rest.data,
					 n > 1 ? ")" : "");
}

/*
 * The rows "heading": for each competition of which a change is listed, all of
 * its evidence.  A tracked rule has read only a part of that.
 */
static void
append_headings(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	const char *name = sync_kit_quote(list_nth(rule->key, rule->competition));
	StringInfoData among;

	initStringInfo(&among);
	appendStringInfo(&among, "IN (SELECT %s FROM sync_changes", name);
	if (scope->touched || scope->headed)
		appendStringInfo(&among,
						 " UNION ALL SELECT CAST(headed AS %s) FROM unnest(%s) AS headed",
						 sync_progress_key_type(rule, rule->competition),
						 scope->touched
							 ? psprintf("$%d", list_length(rule->key) + 1)
							 : sync_progress_text_array(scope->headed));
	appendStringInfoChar(&among, ')');

	appendStringInfo(sql,
					 " UNION ALL SELECT 'heading', %s::text, sum(sync_rows)::text,"
					 " count(*) FILTER (WHERE %s)::text, NULL, NULL, 0 FROM ",
					 name,
					 sync_progress_whole_key(rule, ""));
	if (scope->touched)
		sync_progress_append_key_counts(sql, rule, among.data);
	else
		appendStringInfo(sql, "sync_evidence WHERE %s %s", name, among.data);
	appendStringInfo(sql, " GROUP BY %s ORDER BY n", name);
}
