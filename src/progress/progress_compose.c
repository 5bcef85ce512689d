/*-------------------------------------------------------------------------
 *
 * progress_compose.c
 *	  The SQL of reconciliation: one statement a rule, or two rules.
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

/* the column of the result that has the order */
#define RESULT_ORDER 8

static void append_all_evidence(StringInfo sql,
								List *rules,
								SyncRuleScope *scope);
static void append_todo(StringInfo sql, SyncRule *rule);
static void append_added(StringInfo sql, SyncRule *rule, bool writes);
static void append_insert(StringInfo sql, SyncRule *rule);
static bool is_certain(SyncRule *rule);
static void append_returning(StringInfo sql, SyncRule *rule);
static void append_updated(StringInfo sql, SyncRule *rule, bool writes);
static void append_assignments(StringInfo sql, SyncRule *rule);
static void append_changes(StringInfo sql,
						   SyncRule *rule,
						   SyncRuleScope *scope,
						   bool writes);
static void append_among(StringInfo sql, SyncRule *rule, const char *name);
static void append_done(StringInfo sql, SyncRule *rule, bool writes);
static void append_totals(StringInfo sql,
						  SyncRule *rule,
						  int position,
						  SyncRuleScope *scope,
						  bool writes);
static void append_sums(StringInfo sql, SyncRule *rule, SyncRuleScope *scope);
static void append_headings(StringInfo sql,
							List *rules,
							int position,
							SyncRuleScope *scope);

/*
 * Compose the statement that reconciles a rule, or two that share their
 * evidence, or, without "writes", finds out what it would do.  Its rows have
 * seven columns of text and their order, the first one the rule's position in
 * the list; the second says what the others are:
 *		total: rows read, keys, added, updated; and then, with blanks between,
 *			keys that fail the validation and rows without each key column
 *		change: action, competition, other key columns, rows of evidence
 *		heading: competition, rows of evidence, keys
 * The result lives in the current memory context.
 */
char *
sync_progress_compose_run(List *rules, SyncRuleScope *scope, bool writes)
{
	StringInfoData sql;
	ListCell *cell;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	append_all_evidence(&sql, rules, scope);
	foreach(cell, rules)
	{
		append_todo(&sql, lfirst(cell));
		/* what comes later is done first: new keys make room in the indexes */
		append_updated(&sql, lfirst(cell), writes);
		append_added(&sql, lfirst(cell), writes);
		append_changes(&sql, lfirst(cell), scope, writes);
	}
	foreach(cell, rules)
	{
		int position = foreach_current_index(cell);

		if (position > 0)
			appendStringInfoString(&sql, " UNION ALL ");
		append_totals(&sql, lfirst(cell), position, scope, writes);
		append_headings(&sql, rules, position, scope);
	}
	appendStringInfo(&sql, " ORDER BY %d", RESULT_ORDER);
	return sql.data;
}

/*
 * The evidence of all rules, first that which others are made of.
 */
static void
append_all_evidence(StringInfo sql, List *rules, SyncRuleScope *scope)
{
	SyncRule *rule = linitial(rules);

	if (rule->finer)
		rule = rule->finer;
	sync_progress_append_evidence(sql, rule, scope);
	if (rule->coarser)
	{
		appendStringInfoString(sql, ", ");
		sync_progress_append_evidence(sql, rule->coarser, scope);
	}
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
					 ", sync_todo%s AS MATERIALIZED (SELECT e.*, p.%s" SYNC_HAS_NO_VALUE
					 " AS sync_add",
					 rule->mark,
					 sync_kit_quote(linitial(rule->progress_key)));
	if (rule->progress->has_addresses)
		appendStringInfo(sql,
						 ", p.ctid AS sync_ctid%s",
						 rule->progress->stands_alone
							 ? ""
							 : ", p.tableoid AS sync_table");
	appendStringInfo(sql,
					 " FROM sync_evidence%s e LEFT JOIN %s p ON ",
					 rule->mark,
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
	appendStringInfo(sql, ", sync_added%s AS MATERIALIZED (", rule->mark);
	if (writes)
		append_insert(sql, rule);
	appendStringInfoString(sql, "SELECT ");
	sync_progress_append_names(sql, rule->key, "e.");
	appendStringInfo(sql, ", %s", sync_progress_done_value(rule));
	if (rule->completed_at)
		appendStringInfo(sql,
						 ", %s",
						 sync_progress_typed(rule,
											 rule->completed_at,
											 "pg_catalog.now()"));
	for (int i = 0; i < list_length(rule->counters); i++)
		appendStringInfo(sql, ", e.sync_c%d", i);
	for (int i = 0; i < list_length(rule->inserts); i++)
		appendStringInfo(sql, ", %s", sync_progress_insert_value(rule, i));
	appendStringInfo(sql, " FROM sync_todo%s e", rule->mark);
	sync_progress_append_lookups(sql,
								 rule,
								 psprintf("sync_todo%s", rule->mark),
								 "wanted.sync_add");
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
	appendStringInfo(sql, ", sync_updated%s AS MATERIALIZED (", rule->mark);
	if (!writes)
	{
		appendStringInfo(sql,
						 "SELECT 1 FROM sync_todo%s WHERE NOT sync_add)",
						 rule->mark);
		return;
	}
	appendStringInfo(sql, "UPDATE %s AS p SET ", rule->progress->qualified);
	append_assignments(sql, rule);
	appendStringInfo(sql,
					 " FROM sync_todo%s e WHERE NOT e.sync_add AND ",
					 rule->mark);
	if (rule->progress->has_addresses)
		appendStringInfo(sql,
						 "p.ctid = e.sync_ctid%s",
						 rule->progress->stands_alone
							 ? ""
							 : " AND p.tableoid = e.sync_table");
	else
	{
		sync_progress_append_match(sql, rule);
		sync_progress_append_differs(sql, rule);
	}
	append_returning(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * Whether each row that is to be added or updated will be, or fail: they need
 * not be counted once more.
 */
static bool
is_certain(SyncRule *rule)
{
	return rule->progress->stands_alone && rule->progress->has_addresses;
}

/*
 * RETURNING the key, where it is to be seen which rows went in.
 */
static void
append_returning(StringInfo sql, SyncRule *rule)
{
	if (is_certain(rule))
		return;
	appendStringInfoString(sql, " RETURNING ");
	sync_progress_append_names(sql, rule->progress_key, "p.");
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
						 sync_progress_typed(rule,
											 rule->completed_at,
											 "pg_catalog.now()"));
	foreach(cell, rule->counters)
		appendStringInfo(sql,
						 ", %s = e.sync_c%d",
						 sync_kit_quote(((SyncCounter *) lfirst(cell))->column),
						 foreach_current_index(cell));
}

/*
 * , changes AS (...): the first changes in the order of their keys, as many
 * as the report may list.  Where triggers or policies may keep a row out, only
 * those that went in.
 */
static void
append_changes(StringInfo sql, SyncRule *rule, SyncRuleScope *scope, bool writes)
{
	appendStringInfo(sql,
					 ", sync_changes%s AS MATERIALIZED (SELECT *, pg_catalog.row_number()"
					 " OVER () AS sync_n FROM (SELECT * FROM sync_todo%s e",
					 rule->mark,
					 rule->mark);
	if (writes && !is_certain(rule))
	{
		appendStringInfoString(sql, " WHERE (sync_add AND ");
		append_among(sql, rule, "sync_added");
		appendStringInfoString(sql, ") OR (NOT sync_add AND ");
		append_among(sql, rule, "sync_updated");
		appendStringInfoChar(sql, ')');
	}
	appendStringInfo(sql,
					 " ORDER BY %s, ",
					 sync_kit_quote(list_nth(rule->key, rule->competition)));
	sync_progress_append_names(sql, rule->key, "");
	appendStringInfo(sql, " LIMIT %d) AS listed) ", scope->max_details);
}

/*
 * (SELECT added, updated) AS done: how many rows.
 */
static void
append_done(StringInfo sql, SyncRule *rule, bool writes)
{
	if (writes && is_certain(rule))
		appendStringInfo(sql,
						 "(SELECT pg_catalog.count(*) FILTER (WHERE sync_add),"
						 " pg_catalog.count(*) FILTER (WHERE NOT sync_add)"
						 " FROM sync_todo%s)",
						 rule->mark);
	else
		appendStringInfo(sql,
						 "(SELECT (SELECT pg_catalog.count(*) FROM sync_added%s),"
						 " (SELECT pg_catalog.count(*) FROM sync_updated%s))",
						 rule->mark,
						 rule->mark);
	appendStringInfoString(sql, " AS done (added, updated)");
}

/*
 * The key of "e" is among those that a CTE has returned.
 */
static void
append_among(StringInfo sql, SyncRule *rule, const char *name)
{
	appendStringInfo(sql, "EXISTS (SELECT FROM %s%s p WHERE ", name, rule->mark);
	sync_progress_append_match(sql, rule);
	appendStringInfoChar(sql, ')');
}

/*
 * The rows "total" and "change" of the statement's result.
 */
static void
append_totals(StringInfo sql,
			  SyncRule *rule,
			  int position,
			  SyncRuleScope *scope,
			  bool writes)
{
	StringInfoData rest;
	int n = list_length(rule->key);

	initStringInfo(&rest);
	for (int i = 0; i < n; i++)
		if (i != rule->competition)
			appendStringInfo(&rest,
							 ", %s",
							 sync_kit_quote(list_nth(rule->key, i)));

	appendStringInfo(sql,
					 "SELECT '%d', 'total', coalesce(sync_rows, 0)::text,"
					 " sync_keys::text, added::text, updated::text,"
					 " pg_catalog.concat_ws(' ', sync_invalid",
					 position);
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, ", coalesce(sync_m%d, 0)", i);
	appendStringInfoString(sql, "), 0 AS n FROM ");
	append_sums(sql, rule, scope);
	appendStringInfoString(sql, ", ");
	append_done(sql, rule, writes);
	appendStringInfo(sql,
					 " UNION ALL SELECT '%d', 'change',"
					 " CASE WHEN sync_add THEN 'add' ELSE 'update' END,"
					 " %s::text, %s%s%s, sync_rows::text, NULL, sync_n"
					 " FROM sync_changes%s",
					 position,
					 sync_kit_quote(list_nth(rule->key, rule->competition)),
					 n > 1 ? "pg_catalog.concat_ws(', '" : "NULL",
					 rest.data,
					 n > 1 ? ")" : "",
					 rule->mark);
}

/*
 * (SELECT ...) AS sums: rows of evidence, whole keys, those that are not valid,
 * and rows without a value in each key column; by one scan of the evidence, or
 * of the shorter one that is made of it.
 */
static void
append_sums(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
{
	const char *whole = sync_progress_whole_key(rule, "");
	bool summed = rule->coarser && scope->touched == NULL;

	appendStringInfoString(sql,
						   "(SELECT pg_catalog.sum(sync_rows) AS sync_rows, ");
	if (summed)
		appendStringInfoString(sql, "coalesce(pg_catalog.sum(sync_finer), 0)");
	else
		appendStringInfo(sql, "pg_catalog.count(*) FILTER (WHERE %s)", whole);
	appendStringInfoString(sql, " AS sync_keys, ");
	if (rule->validation == NULL)
		appendStringInfoChar(sql, '0');
	else if (summed)
		appendStringInfoString(sql,
							   "coalesce(pg_catalog.sum(sync_finer_invalid), 0)");
	else
		appendStringInfo(sql,
						 "pg_catalog.count(*) FILTER (WHERE NOT sync_valid AND %s)",
						 whole);
	appendStringInfoString(sql, " AS sync_invalid");
	for (int i = 0; i < list_length(rule->key); i++)
		if (summed)
			appendStringInfo(sql,
							 ", pg_catalog.sum(sync_finer_m%d) AS sync_m%d",
							 i,
							 i);
		else
			appendStringInfo(sql,
							 ", pg_catalog.sum(sync_rows) FILTER (WHERE %s" SYNC_HAS_NO_VALUE
							 ") AS sync_m%d",
							 sync_kit_quote(list_nth(rule->key, i)),
							 i);
	appendStringInfo(sql,
					 " FROM sync_evidence%s) AS sums",
					 summed ? rule->coarser->mark : rule->mark);
}

/*
 * The rows "heading": for each competition of which a change is listed, here or
 * by a rule before, all of the rule's evidence.  Where only touched keys were
 * read, that is more, unless the competition is the key.  Two rules that share
 * those have just one heading for each competition.
 */
static void
append_headings(StringInfo sql, List *rules, int position, SyncRuleScope *scope)
{
	SyncRule *rule = list_nth(rules, position);
	const char *name = sync_kit_quote(list_nth(rule->key, rule->competition));
	bool complete = scope->touched == NULL || list_length(rule->key) == 1;
	StringInfoData headed;
	char *keys;

	if (scope->touched && (rule->finer || rule->coarser))
	{
		if (rule->coarser)
			appendStringInfo(sql,
							 " UNION ALL SELECT '%d', 'heading', %s::text, sync_rows::text,"
							 " sync_finer::text, NULL, NULL, 0 FROM sync_evidence%s",
							 position,
							 name,
							 rule->coarser->mark);
		return;
	}
	initStringInfo(&headed);
	for (int i = 0; i <= position; i++)
		appendStringInfo(&headed,
						 "%sSELECT %s FROM sync_changes%s",
						 i > 0 ? " UNION ALL " : "",
						 name,
						 ((SyncRule *) list_nth(rules, i))->mark);
	if (scope->touched ? !complete : scope->headed != NIL)
		appendStringInfo(&headed,
						 " UNION ALL SELECT CAST(headed AS %s) FROM pg_catalog.unnest(%s) AS headed",
						 sync_progress_key_type(rule, rule->competition),
						 scope->touched
							 ? psprintf("$%d", list_length(rule->key) + 1)
							 : sync_progress_text_array(scope->headed));

	/* what is grouped by fewer columns has fewer rows to be summed up */
	if (rule->coarser)
		keys = "pg_catalog.sum(sync_finer)";
	else
		keys = psprintf("pg_catalog.count(*) FILTER (WHERE %s)",
						sync_progress_whole_key(rule, ""));
	appendStringInfo(sql,
					 " UNION ALL SELECT '%d', 'heading', %s::text,"
					 " pg_catalog.sum(sync_rows)::text, %s::text, NULL, NULL, 0 FROM ",
					 position,
					 name,
					 keys);
	if (!complete)
		sync_progress_append_key_counts(sql, rule, headed.data);
	else
		appendStringInfo(sql,
						 "sync_evidence%s WHERE %s",
						 rule->coarser ? rule->coarser->mark : rule->mark,
						 sync_progress_among(rule, name, headed.data));
	appendStringInfo(sql, " GROUP BY %s", name);
}
