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

static void append_one_step(StringInfo sql,
							SyncRule *rule,
							SyncRuleScope *scope);
static void append_two_steps(StringInfo sql,
							 SyncRule *rule,
							 SyncRuleScope *scope);
static void append_own_part(StringInfo sql,
							SyncRule *rule,
							SyncRuleScope *scope);
static void append_from_finer(StringInfo sql,
							  SyncRule *rule,
							  SyncRuleScope *scope);
static void append_steps(StringInfo sql,
						 SyncRule *rule,
						 const char *counted,
						 const char *counter,
						 const char *inserted);
static void append_parts(StringInfo sql,
						 SyncRule *rule,
						 const char *counter,
						 const char *inserted);
static void append_key_values(StringInfo sql, SyncRule *rule);
static char *match_key(SyncRule *rule,
					   int i,
					   const char *value,
					   const char *text);
static char *key_operand(SyncRule *rule, int i, const char *text);
static SyncRelationColumn *key_column(SyncRule *rule, int i);
static void append_limit(StringInfo sql, int n);
static void append_inserted(StringInfo sql, SyncRule *rule, const char *as);
static void append_touched(StringInfo sql,
						   SyncRule *rule,
						   int before,
						   bool grouped);

/*
 * evidence AS (...): a row for each key, with the number of its rows
 * (sync_rows), its counters (sync_c0, ...), the values for insert columns
 * (sync_i0, ...) and whether it is valid (sync_valid, where the rule asks).
 *
 * Of two rules of which the touched keys are read, those of the coarser one say
 * what is read ("sync_parts"), and the finer one takes its own from there.
 */
void
sync_progress_append_evidence(StringInfo sql,
							  SyncRule *rule,
							  SyncRuleScope *scope)
{
	bool parts = rule->coarser && scope->touched;

	appendStringInfo(sql,
					 "%s%s AS MATERIALIZED (",
					 parts ? "sync_parts" : "sync_evidence",
					 parts ? "" : rule->mark);
	if (rule->finer)
		append_from_finer(sql, rule, scope);
	else if (sync_progress_counted(rule))
		append_two_steps(sql, rule, scope);
	else
		append_one_step(sql, rule, scope);
	if (scope->touched && !scope->null_keys && !parts)
		append_limit(sql, scope->ntouched);
	appendStringInfoChar(sql, ')');
	if (parts)
		append_own_part(sql, rule, scope);
}

/*
 * , evidence AS (...): of the parts, those that the finer rule's touched keys
 * have.
 */
static void
append_own_part(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
{
	appendStringInfo(sql,
					 ", sync_evidence%s AS MATERIALIZED (SELECT * FROM sync_parts e WHERE ",
					 rule->mark);
	append_touched(sql, rule, list_length(rule->coarser->key), true);
	append_limit(sql, scope->nfiner);
	appendStringInfoChar(sql, ')');
}

/*
 * (SELECT key, sync_rows ...): the evidence by key, without the rest, of the
 * competitions that the query "headed" gives.
 */
void
sync_progress_append_key_counts(StringInfo sql,
								SyncRule *rule,
								const char *headed)
{
	SyncRuleScope all = {0};

	appendStringInfoString(sql, "(SELECT ");
	append_key_values(sql, rule);
	appendStringInfoString(sql, "pg_catalog.count(*) AS sync_rows");
	sync_progress_append_from(sql, rule, &all);
	appendStringInfo(sql,
					 "%s%s GROUP BY ",
					 rule->filter ? " AND " : " WHERE ",
					 sync_progress_among(rule,
										 sync_progress_key_value(rule,
																 rule->competition),
										 headed));
	sync_progress_append_ordinals(sql, list_length(rule->key));
	appendStringInfoString(sql, ") AS sync_evidence");
}

/*
 * LIMIT the evidence to the number of touched keys, or some more: they are no
 * fewer than the groups.  It changes no result, but tells the planner what to
 * expect.
 */
static void
append_limit(StringInfo sql, int n)
{
	appendStringInfo(sql, " LIMIT %u", pg_nextpower2_32(Max(n, LIMIT_MIN)));
}

/*
 * Group by the key.
 */
static void
append_one_step(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
{
	ListCell *cell;

	appendStringInfoString(sql, "SELECT ");
	append_key_values(sql, rule);
	appendStringInfoString(sql, "pg_catalog.count(*) AS sync_rows");
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
	append_inserted(sql, rule, "sync_i");
	if (rule->validation)
		appendStringInfo(sql,
						 ", coalesce((%s\n), false) AS sync_valid",
						 rule->validation);
	if (rule->coarser)
		append_parts(sql, rule->coarser, "sync_p", "sync_q");
	sync_progress_append_from(sql, rule, scope);
	appendStringInfoString(sql, " GROUP BY ");
	sync_progress_append_ordinals(sql, list_length(rule->key));
}

/*
 * Group by the key and the column whose distinct values are counted, and then
 * by the key alone.
 */
static void
append_two_steps(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
{
	append_steps(sql, rule, "sync_counted", "sync_c", "sync_i");
	appendStringInfoString(sql, " FROM (SELECT ");
	append_key_values(sql, rule);
	appendStringInfo(sql,
					 "t.%s AS sync_counted, pg_catalog.count(*) AS sync_rows",
					 sync_kit_quote(sync_progress_counted(rule)));
	append_parts(sql, rule, "sync_c", "sync_i");
	sync_progress_append_from(sql, rule, scope);
	appendStringInfoString(sql, " GROUP BY ");
	sync_progress_append_ordinals(sql, list_length(rule->key) + 1);
	appendStringInfoString(sql, ") AS part GROUP BY ");
	sync_progress_append_ordinals(sql, list_length(rule->key));
}

/*
 * Group what another rule has grouped by more columns, and sum up its totals,
 * which saves reading all of it once more: how many whole keys it has
 * (sync_finer), those that fail its validation (sync_finer_invalid), and the
 * rows without a value in its key columns (sync_finer_m0, ...).
 */
static void
append_from_finer(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
{
	const char *counted = sync_progress_counted(rule);
	SyncRule *finer = rule->finer;
	const char *whole = sync_progress_whole_key(finer, "");

	append_steps(sql,
				 rule,
				 counted ? sync_kit_quote(counted) : NULL,
				 "sync_p",
				 "sync_q");
	appendStringInfo(sql,
					 ", pg_catalog.count(*) FILTER (WHERE %s) AS sync_finer",
					 whole);
	if (finer->validation)
		appendStringInfo(sql,
						 ", pg_catalog.count(*) FILTER (WHERE NOT sync_valid AND %s)"
						 " AS sync_finer_invalid",
						 whole);
	for (int i = 0; i < list_length(finer->key); i++)
		appendStringInfo(sql,
						 ", pg_catalog.sum(sync_rows) FILTER (WHERE %s" SYNC_HAS_NO_VALUE
						 ") AS sync_finer_m%d",
						 sync_kit_quote(list_nth(finer->key, i)),
						 i);
	if (scope->touched)
		appendStringInfoString(sql, " FROM sync_parts GROUP BY ");
	else
		appendStringInfo(sql, " FROM sync_evidence%s GROUP BY ", finer->mark);
	sync_progress_append_ordinals(sql, list_length(rule->key));
}

/*
 * SELECT the second step: key, number of rows, counters and values for insert
 * columns, from the partial results in the columns "counted", "counter"N and
 * "inserted"N.
 */
static void
append_steps(StringInfo sql,
			 SyncRule *rule,
			 const char *counted,
			 const char *counter,
			 const char *inserted)
{
	ListCell *cell;

	appendStringInfoString(sql, "SELECT ");
	sync_progress_append_names(sql, rule->key, "");
	appendStringInfoString(sql,
						   ", pg_catalog.sum(sync_rows)::bigint AS sync_rows");
	foreach(cell, rule->counters)
	{
		SyncCounter *of = lfirst(cell);
		int i = foreach_current_index(cell);
		char *value;

		if (of->counted)
			value = psprintf("pg_catalog.count(%s)", counted);
		else
			value = psprintf("%s(%s%d)", of->outer, counter, i);
		appendStringInfo(sql,
						 ", %s AS sync_c%d",
						 sync_progress_typed(rule, of->column, value),
						 i);
	}
	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		int i = foreach_current_index(cell);

		if (insert->source && insert->lookup == NULL)
			appendStringInfo(sql,
							 ", pg_catalog.min(%s%d) AS sync_i%d",
							 inserted,
							 i,
							 i);
	}
}

/*
 * The partial results that append_steps takes.
 */
static void
append_parts(StringInfo sql,
			 SyncRule *rule,
			 const char *counter,
			 const char *inserted)
{
	ListCell *cell;

	foreach(cell, rule->counters)
	{
		SyncCounter *of = lfirst(cell);

		if (of->counted == NULL)
			appendStringInfo(sql,
							 ", %s\n AS %s%d",
							 of->expression,
							 counter,
							 foreach_current_index(cell));
	}
	append_inserted(sql, rule, inserted);
}

/*
 * The column whose distinct values the rule counts in two steps, or NULL.
 */
const char *
sync_progress_counted(SyncRule *rule)
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
 * The key columns of the evidence, as sync_progress_key_value has them.
 */
static void
append_key_values(StringInfo sql, SyncRule *rule)
{
	for (int i = 0; i < list_length(rule->key); i++)
		appendStringInfo(sql,
						 "%s AS %s, ",
						 sync_progress_key_value(rule, i),
						 sync_kit_quote(list_nth(rule->key, i)));
}

/*
 * A key column of the evidence, in the type and collation of the progress
 * relation's.
 */
char *
sync_progress_key_value(SyncRule *rule, int i)
{
	SyncRelationColumn *from = key_column(rule, i);
	SyncRelationColumn *to =
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
 * The "value" of a key column is the one that "text" has.
 */
static char *
match_key(SyncRule *rule, int i, const char *value, const char *text)
{
	return sync_progress_equal(rule->progress,
							   list_nth(rule->progress_key, i),
							   value,
							   key_operand(rule, i, text));
}

/*
 * A value of a key column, given as "text", as something to compare
 * that with: it goes through the evidence's type, as the rows do.
 */
static char *
key_operand(SyncRule *rule, int i, const char *text)
{
	SyncRelationColumn *from = key_column(rule, i);
	const char *type = sync_progress_key_type(rule, i);
	char *operand = psprintf("CAST(%s AS %s)", text, from->type);

	if (strcmp(from->type, type) != 0)
		operand = psprintf("CAST(%s AS %s)", operand, type);
	return operand;
}

/*
 * A key column of the evidence.
 */
static SyncRelationColumn *
key_column(SyncRule *rule, int i)
{
	return sync_progress_column(rule->evidence, list_nth(rule->key, i));
}

/*
 * The insert columns that come from the evidence, "as"N: the least value of
 * each that is not empty, by its text where the type is not built in or has no
 * min().
 */
static void
append_inserted(StringInfo sql, SyncRule *rule, const char *as)
{
	ListCell *cell;

	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		SyncRelationColumn *column;
		char *value;

		if (insert->source == NULL || insert->lookup)
			continue;
		column = sync_progress_column(rule->evidence, insert->source);
		value = psprintf("t.%s", sync_kit_quote(insert->source));
		if (!strchr("NDTE", column->category) ||
			strcmp(column->equals, SYNC_EQUALS_BUILT_IN) != 0)
			value = psprintf("CAST(%s AS text)", value);
		if (column->category == 'S')
			value =
				psprintf("CASE WHEN %s OPERATOR(pg_catalog.<>) '' THEN %s END",
						 value,
						 value);
		appendStringInfo(sql,
						 ", pg_catalog.min(%s) AS %s%d",
						 value,
						 as,
						 foreach_current_index(cell));
	}
}

/*
 * FROM the evidence WHERE: the rule's filter, the competition, the touched
 * keys.
 */
void
sync_progress_append_from(StringInfo sql, SyncRule *rule, SyncRuleScope *scope)
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
						 "%s%s",
						 separator,
						 match_key(rule,
								   rule->competition,
								   sync_progress_key_value(rule,
														   rule->competition),
								   quote_literal_cstr(scope->competition)));
		separator = " AND ";
	}
	if (scope->touched)
	{
		appendStringInfo(sql, "%s(", separator);
		append_touched(sql, rule->coarser ? rule->coarser : rule, 0, false);
		for (int i = 0; scope->null_keys && i < list_length(rule->key); i++)
			appendStringInfo(sql,
							 " OR t.%s" SYNC_HAS_NO_VALUE,
							 sync_kit_quote(list_nth(rule->key, i)));
		appendStringInfoChar(sql, ')');
	}
}

/*
 * The key, of a row "t" of the evidence or of one "e" that is "grouped", is one of
 * those that were touched, which are the statement's parameters after as many
 * "before" them: an array of text for each key column.
 */
static void
append_touched(StringInfo sql, SyncRule *rule, int before, bool grouped)
{
	int n = list_length(rule->key);

	appendStringInfoString(sql, "EXISTS (SELECT FROM ROWS FROM (");
	for (int i = 1; i <= n; i++)
		appendStringInfo(sql,
						 "%spg_catalog.unnest($%d)",
						 i > 1 ? ", " : "",
						 before + i);
	appendStringInfoString(sql, ") AS touched (");
	for (int i = 0; i < n; i++)
		appendStringInfo(sql, "%sk%d", i > 0 ? ", " : "", i);
	appendStringInfoString(sql, ") WHERE ");
	for (int i = 0; i < n; i++)
	{
		char *value = sync_progress_key_value(rule, i);

		if (grouped)
			value = psprintf("e.%s", sync_kit_quote(list_nth(rule->key, i)));
		appendStringInfo(sql,
						 "%s%s",
						 i > 0 ? " AND " : "",
						 match_key(rule, i, value, psprintf("touched.k%d", i)));
	}
	appendStringInfoChar(sql, ')');
}
