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

static char *match_lookup(SyncRule *rule,
						  int i,
						  const char *value,
						  const char *row);
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
 * a = b, by the operator that belongs to the type of a column: what the
 * search_path finds may be another.
 */
char *
sync_progress_equal(SyncRelation *relation,
					const char *column,
					const char *a,
					const char *b)
{
	SyncRelationColumn *by = sync_progress_column(relation, column);

	/* operators of enums and other families of types take no domain */
	if (by->base)
		return psprintf("CAST(%s AS %s) %s CAST(%s AS %s)",
						a,
						by->base,
						by->equals,
						b,
						by->base);
	return psprintf("%s %s %s", a, by->equals, b);
}

/*
 * The condition that a value is one of the competitions that a query gives.
 */
char *
sync_progress_among(SyncRule *rule, const char *value, const char *competitions)
{
	return psprintf("EXISTS (SELECT FROM (%s) AS headed (sync_headed) WHERE %s)",
					competitions,
					sync_progress_equal(rule->progress,
										list_nth(rule->progress_key,
												 rule->competition),
										value,
										"headed.sync_headed"));
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
						 "%s%s%s" SYNC_HAS_VALUE,
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
	{
		const char *column = list_nth(rule->progress_key, i);
		const char *key = sync_kit_quote(list_nth(rule->key, i));

		appendStringInfo(sql,
						 "%s%s",
						 i > 0 ? " AND " : "",
						 sync_progress_equal(rule->progress,
											 column,
											 psprintf("p.%s",
													  sync_kit_quote(column)),
											 psprintf("e.%s", key)));
	}
}

/*
 * AND the row "p" is not what the evidence "e" says.
 */
void
sync_progress_append_differs(StringInfo sql, SyncRule *rule)
{
	char *status = psprintf("p.%s", sync_kit_quote(rule->status));
	ListCell *cell;

	appendStringInfo(sql,
					 " AND (NOT coalesce(%s, false)",
					 sync_progress_equal(rule->progress,
										 rule->status,
										 status,
										 sync_progress_done_value(rule)));
	foreach(cell, rule->counters)
	{
		const char *column = ((SyncCounter *) lfirst(cell))->column;
		char *is = psprintf("p.%s", sync_kit_quote(column));
		char *to_be = psprintf("e.sync_c%d", foreach_current_index(cell));

		appendStringInfo(sql,
						 " OR NOT coalesce(%s, %s IS NULL AND %s IS NULL)",
						 sync_progress_equal(rule->progress, column, is, to_be),
						 is,
						 to_be);
	}
	appendStringInfoString(sql, ")");
}

/*
 * LEFT JOIN each lookup relation, reduced to one row a key: the least value
 * that is neither NULL nor empty, without sorting where it is a built-in string.
 * Only the keys in the CTE "from" are looked up, of its rows that meet the
 * "condition" (NULL: all).
 */
void
sync_progress_append_lookups(StringInfo sql,
							 SyncRule *rule,
							 const char *from,
							 const char *condition)
{
	ListCell *cell;

	foreach(cell, rule->inserts)
	{
		SyncInsertColumn *insert = lfirst(cell);
		int n = list_length(rule->key);
		int at = foreach_current_index(cell);
		SyncRelationColumn *column;
		const char *source;
		bool grouped;

		if (insert->lookup == NULL || insert->source == NULL)
			continue;

		column = sync_progress_column(insert->lookup, insert->source);
		source = psprintf("l.%s", sync_kit_quote(insert->source));
		grouped = column->category == 'S' &&
				  strcmp(column->equals, SYNC_EQUALS_BUILT_IN) == 0;
		appendStringInfoString(sql, " LEFT JOIN (SELECT ");
		if (!grouped)
		{
			appendStringInfoString(sql, "DISTINCT ON (");
			sync_progress_append_ordinals(sql, n);
			appendStringInfoString(sql, ") ");
		}
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%s AS sync_l%d_k%d, ",
							 lookup_key(rule, insert, i),
							 at,
							 i);
		appendStringInfo(sql,
						 "%s AS sync_l%d FROM %s l WHERE %s" SYNC_HAS_VALUE,
						 grouped ? psprintf("pg_catalog.min(%s)", source)
								 : source,
						 at,
						 insert->lookup->qualified,
						 source);
		if (column->category == 'S')
			appendStringInfo(sql,
							 " AND CAST(%s AS text) OPERATOR(pg_catalog.<>) ''",
							 source);
		appendStringInfo(sql,
						 " AND EXISTS (SELECT FROM %s wanted WHERE %s",
						 from,
						 condition ? condition : "true");
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 " AND %s",
							 match_lookup(rule,
										  i,
										  lookup_key(rule, insert, i),
										  "wanted"));
		appendStringInfoString(sql, grouped ? ") GROUP BY " : ") ORDER BY ");
		sync_progress_append_ordinals(sql, grouped ? n : n + 1);
		appendStringInfo(sql, ") AS lookup%d ON ", at);
		for (int i = 0; i < n; i++)
			appendStringInfo(sql,
							 "%s%s",
							 i > 0 ? " AND " : "",
							 match_lookup(rule,
										  i,
										  psprintf("sync_l%d_k%d", at, i),
										  "e"));
	}
}

/*
 * A key column of a lookup relation is that of "row", one of the evidence.
 */
static char *
match_lookup(SyncRule *rule, int i, const char *value, const char *row)
{
	return sync_progress_equal(rule->progress,
							   list_nth(rule->progress_key, i),
							   value,
							   psprintf("%s.%s",
										row,
										sync_kit_quote(list_nth(rule->key, i))));
}

/*
 * A key column of a lookup relation, in the type and collation of the progress
 * relation's.
 */
static char *
lookup_key(SyncRule *rule, SyncInsertColumn *insert, int i)
{
	SyncRelationColumn *to =
		sync_progress_column(rule->progress, list_nth(rule->progress_key, i));
	SyncRelationColumn *from =
		sync_progress_column(insert->lookup, list_nth(rule->key, i));
	char *value =
		psprintf("CAST(l.%s AS %s)", sync_kit_quote(from->name), to->type);

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
