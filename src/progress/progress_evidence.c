/*-------------------------------------------------------------------------
 *
 * progress_evidence.c
 *	  The SQL that reduces evidence to one row a key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "progress/progress.h"

/* a few numbers in the text serve for all sizes, so that a kept plan is found */
#define LIMIT_MIN 16

static void append_one_step(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_two_steps(StringInfo sql,
							 SyncRule *rule,
							 SyncScope *scope,
							 const char *counted);
static const char *counted_column(SyncRule *rule);
static void append_key_values(StringInfo sql, SyncRule *rule);
static char *key_value(SyncRule *rule, int i);
static char *key_operand(SyncRule *rule, int i, const char *text);
static SyncColumn *key_column(SyncRule *rule, int i);
static void append_limit(StringInfo sql, SyncRule *rule, SyncScope *scope);
static void append_inserted(StringInfo sql, SyncRule *rule, bool again);
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

	appendStringInfoString(sql, "WITH sync_evidence AS MATERIALIZED (");
	if (counted)
		append_two_steps(sql, rule, scope, counted);
	else
		append_one_step(sql, rule, scope);
	append_limit(sql, rule, scope);
	appendStringInfoString(sql, ")");
}

/*
 * (SELECT key, sync_rows ...): the evidence by key, without the rest, of all
 * competitions for which "condition" holds.
 */
void
sync_progress_append_key_counts(StringInfo sql,
								SyncRule *rule,
								const char *condition)
{
	SyncScope all = {0};

	appendStringInfoString(sql, "(SELECT ");
	append_key_values(sql, rule);
	appendStringInfoString(sql, "count(*) AS sync_rows");
	sync_progress_append_from(sql, rule, &all);
	appendStringInfo(sql,
					 "%s%s %s GROUP BY ",
					 rule->filter ? " AND " : " WHERE ",
					 key_value(rule, rule->competition),
					 condition);
	sync_progress_append_ordinals(sql, list_length(rule->key));
	appendStringInfoString(sql, ") AS sync_evidence");
}

/*
 * LIMIT the evidence to the number of touched keys, or some more: they are no
 * fewer than the groups.  It changes no result, but tells the planner what to
 * expect.
 */
static void
append_limit(StringInfo sql, SyncRule *rule, SyncScope *scope)
{
	if (scope->touched && !scope->null_keys)
		appendStringInfo(sql,
						 " LIMIT %u",
						 pg_nextpower2_32(Max(scope->ntouched, LIMIT_MIN)));
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
	sync_progress_append_from(sql, rule, scope);
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
			appendStringInfo(&inner,
							 ", %s\n AS sync_c%d",
							 counter->expression,
							 i);
			outer = psprintf("%s(sync_c%d)", counter->outer, i);
		}
		appendStringInfo(sql,
						 ", %s AS sync_c%d",
						 sync_progress_typed(rule, counter->column, outer),
						 i);
	}
	append_inserted(&inner, rule, false);
	append_inserted(sql, rule, true);
	sync_progress_append_from(&inner, rule, scope);
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
 * The key columns of the evidence, as key_value has them.
 */
static void
append_key_values(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
		appendStringInfo(sql,
						 "%s AS %s, ",
						 key_value(rule, i),
						 sync_kit_quote(list_nth(rule->key, i)));
}

/*
 * A key column of the evidence, in the type and collation of the progress
 * relation's.
 */
static char *
key_value(SyncRule *rule, int i)
{
	SyncColumn *from = key_column(rule, i);
	SyncColumn *to =
		sync_progress_column(rule->progress, list_nth(rule->progress_key, i));
	char *value = psprintf("t.%s", sync_kit_quote(from->name));

	if (strcmp(from->type, to->type) != 0)
		value = psprintf("CAST(%s AS %s)", value, to->type);
	if (from->collation && to->collation &&
		strcmp(from->collation, to->collation) != 0)
		value = psprintf("%s COLLATE %s", value, to->collation);
	return value;
}

/*
 * A value of a key column, given as "text", as something to compare
 * key_value() with: it goes through the evidence's type, as the rows do.
 */
static char *
key_operand(SyncRule *rule, int i, const char *text)
{
	SyncColumn *from = key_column(rule, i);
	const char *type = sync_progress_key_type(rule, i);
	char *operand = psprintf("CAST(%s AS %s)", text, from->type);

	if (strcmp(from->type, type) != 0)
		operand = psprintf("CAST(%s AS %s)", operand, type);
	return operand;
}

/*
 * A key column of the evidence.
 */
static SyncColumn *
key_column(SyncRule *rule, int i)
{
	return sync_progress_column(rule->evidence, list_nth(rule->key, i));
}

/*
 * The insert columns that come from the evidence: the least value of each that
 * is not empty, by its text where the type has no min().  "again": of the partial results.
 */
static void
append_inserted(StringInfo sql, SyncRule *rule, bool again)
{
	ListCell *cell;

	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		int i = foreach_current_index(cell);
		SyncColumn *column;
		char *value;

		if (insert->source == NULL || insert->lookup)
			continue;
		column = sync_progress_column(rule->evidence, insert->source);
		value = psprintf("t.%s", sync_kit_quote(insert->source));
		if (again)
			value = psprintf("sync_i%d", i);
		else if (column->category == 'S')
			value = psprintf("nullif(%s, '')", value);
		else if (!strchr("NDTE", column->category))
			value = psprintf("CAST(%s AS text)", value);
		appendStringInfo(sql, ", min(%s) AS sync_i%d", value, i);
	}
}

/*
 * FROM the evidence WHERE: the rule's filter, the competition, the touched
 * keys.
 */
void
sync_progress_append_from(StringInfo sql, SyncRule *rule, SyncScope *scope)
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
		appendStringInfo(sql,
						 "%s%s = %s",
						 separator,
						 key_value(rule, rule->competition),
						 key_operand(rule,
									 rule->competition,
									 quote_literal_cstr(scope->competition)));
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
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, "%s%s", i > 0 ? ", " : "", key_value(rule, i));
	appendStringInfoString(sql, ") IN (SELECT ");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql,
						 "%s%s",
						 i > 0 ? ", " : "",
						 key_operand(rule, i, psprintf("k%d", i)));
	appendStringInfoString(sql, " FROM unnest(");
	for (int i = 1; i <= n; i++)
		appendStringInfo(sql, "%s$%d", i > 1 ? ", " : "", i);
	appendStringInfoString(sql, ") AS touched (");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, "%sk%d", i > 0 ? ", " : "", i);
	appendStringInfoString(sql, "))");
}
