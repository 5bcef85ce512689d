/*-------------------------------------------------------------------------
 *
 * progress_evidence.c
 *	  The SQL that reduces evidence to one row a key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

static void append_one_step(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_two_steps(StringInfo sql,
							 SyncRule *rule,
							 SyncScope *scope,
							 const char *counted);
static const char *counted_column(SyncRule *rule);
static void append_key_values(StringInfo sql, SyncRule *rule);
static void append_inserted(StringInfo sql, SyncRule *rule, bool again);
static void append_from(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_touched(StringInfo sql, SyncRule *rule);

/*
 * WITH evidence AS (...): a row for each key, with the number of its rows
 * (sync_rows), its counters (sync_c0, ...), the values for insert columns
 * (sync_i0, ...) and whether it is valid (sync_valid, where the rule asks).
 */
void
sync_progress_append_evidence(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	const char *counted = counted_column(rule);

	appendStringInfoString(sql, "WITH evidence AS MATERIALIZED (");
	if (counted)
		append_two_steps(sql, rule, scope, counted);
	else
		append_one_step(sql, rule, scope);
	appendStringInfoString(sql, ")");
}

/*
 * (SELECT key, sync_rows ...): all evidence by key, without the rest.
 */
void
sync_progress_append_key_counts(StringInfo sql, SyncRule *rule)
{
	SyncScope all = {0};

	appendStringInfoString(sql, "(SELECT ");
	append_key_values(sql, rule);
	appendStringInfoString(sql, "count(*) AS sync_rows");
	append_from(sql, rule, &all);
	appendStringInfoString(sql, " GROUP BY ");
	sync_progress_append_ordinals(sql, list_length(rule->key));
	appendStringInfoString(sql, ") AS evidence");
}

/*
 * Group by the key.
 */
static void
append_one_step(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	ListCell *cell;

	appendStringInfoString(sql, "SELECT ");
	append_key_values(sql, rule);
	appendStringInfoString(sql, "count(*) AS sync_rows");
	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		appendStringInfo(sql,
						 ", %s AS sync_c%d",
						 sync_progress_typed(rule,
											 counter->column,
											 counter->expression),
						 foreach_current_index(cell));
	}
	append_inserted(sql, rule, false);
	if (rule->validation)
		appendStringInfo(sql,
						 ", coalesce((%s\n), false) AS sync_valid",
						 rule->validation);
	append_from(sql, rule, scope);
	appendStringInfoString(sql, " GROUP BY ");
	sync_progress_append_ordinals(sql, list_length(rule->key));
}

/*
 * Group by the key and the column whose distinct values are counted, and then
 * by the key alone.
 */
static void
append_two_steps(StringInfo sql,
				 SyncRule *rule,
				 SyncScope *scope,
				 const char *counted)
{
	StringInfoData inner;
	int n = list_length(rule->key);
	ListCell *cell;

	initStringInfo(&inner);
	appendStringInfoString(&inner, "SELECT ");
	append_key_values(&inner, rule);
	appendStringInfo(&inner,
					 "t.%s AS sync_counted, count(*) AS sync_rows",
					 sync_kit_quote(counted));

	appendStringInfoString(sql, "SELECT ");
	foreach(cell, rule->key)
		appendStringInfo(sql, "%s, ", sync_kit_quote(lfirst(cell)));
	appendStringInfoString(sql, "sum(sync_rows)::bigint AS sync_rows");

	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);
		int i = foreach_current_index(cell);
		char *outer = "count(sync_counted)";

		if (counter->counted == NULL)
		{
			appendStringInfo(&inner, ", %s AS sync_c%d", counter->expression, i);
			outer = psprintf("%s(sync_c%d)", counter->outer, i);
		}
		appendStringInfo(sql,
						 ", %s AS sync_c%d",
						 sync_progress_typed(rule, counter->column, outer),
						 i);
	}
	append_inserted(&inner, rule, false);
	append_inserted(sql, rule, true);
	append_from(&inner, rule, scope);
	appendStringInfoString(&inner, " GROUP BY ");
	sync_progress_append_ordinals(&inner, n + 1);

	appendStringInfo(sql, " FROM (%s) AS part GROUP BY ", inner.data);
	sync_progress_append_ordinals(sql, n);
}

/*
 * The column whose distinct values the rule counts in two steps, or NULL.
 */
static const char *
counted_column(SyncRule *rule)
{
	ListCell *cell;

	foreach(cell, rule->counters)
	{
		SyncCounter *counter = lfirst(cell);

		if (counter->counted)
			return counter->counted;
	}
	return NULL;
}

/*
 * The key columns of the evidence, in the types of the progress relation.
 */
static void
append_key_values(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
	{
		char *column = list_nth(rule->key, i);
		const char *name = sync_kit_quote(column);
		const char *type = sync_progress_key_type(rule, i);

		if (strcmp(sync_progress_column(rule->evidence, column)->type, type) ==
			0)
			appendStringInfo(sql, "t.%s, ", name);
		else
			appendStringInfo(sql, "CAST(t.%s AS %s) AS %s, ", name, type, name);
	}
}

/*
 * The insert columns that come from the evidence: the least value of each, by
 * its text where the type has no min().  "again": of the partial results.
 */
static void
append_inserted(StringInfo sql, SyncRule *rule, bool again)
{
	ListCell *cell;

	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		int i = foreach_current_index(cell);
		const char *value;

		if (insert->source == NULL || insert->lookup)
			continue;
		if (again)
			value = psprintf("sync_i%d", i);
		else if (strchr("NSDTE",
						sync_progress_column(rule->evidence, insert->source)
							->category))
			value = psprintf("t.%s", sync_kit_quote(insert->source));
		else
			value =
				psprintf("CAST(t.%s AS text)", sync_kit_quote(insert->source));
		appendStringInfo(sql, ", min(%s) AS sync_i%d", value, i);
	}
}

/*
 * FROM the evidence WHERE: the rule's filter, the competition, the touched
 * keys.
 */
static void
append_from(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	const char *separator = " WHERE ";

	appendStringInfo(sql, " FROM %s t", rule->evidence->qualified);
	if (rule->filter)
	{
		appendStringInfo(sql, "%s(%s\n)", separator, rule->filter);
		separator = " AND ";
	}
	if (scope->competition)
	{
		char *column = list_nth(rule->key, rule->competition);

		appendStringInfo(sql,
						 "%st.%s = CAST(%s AS %s)",
						 separator,
						 sync_kit_quote(column),
						 quote_literal_cstr(scope->competition),
						 sync_progress_column(rule->evidence, column)->type);
		separator = " AND ";
	}
	if (scope->touched)
	{
		appendStringInfo(sql, "%s(", separator);
		append_touched(sql, rule);
		for (int i = 0; scope->null_keys && i < list_length(rule->key); i++)
			appendStringInfo(sql,
							 " OR t.%s IS NULL",
							 sync_kit_quote(list_nth(rule->key, i)));
		appendStringInfoChar(sql, ')');
	}
}

/*
 * (key) IN (the touched keys), which are the statement's parameters: an array
 * of text for each key column.
 */
static void
append_touched(StringInfo sql, SyncRule *rule)
{
	int n = list_length(rule->key);

	appendStringInfoChar(sql, '(');
	sync_progress_append_names(sql, rule->key, "t.");
	appendStringInfoString(sql, ") IN (SELECT ");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 "%sCAST(k%d AS %s)",
						 i > 0 ? ", " : "",
						 i,
						 sync_progress_column(rule->evidence,
											  list_nth(rule->key, i))
							 ->type);
	appendStringInfoString(sql, " FROM unnest(");
	for (int i = 1; i <= n; i++)
		appendStringInfo(sql, "%s$%d", i > 1 ? ", " : "", i);
	appendStringInfoString(sql, ") AS touched (");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, "%sk%d", i > 0 ? ", " : "", i);
	appendStringInfoString(sql, "))");
}
