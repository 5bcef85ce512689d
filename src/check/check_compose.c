/*-------------------------------------------------------------------------
 *
 * check_compose.c
 *	  The SQL of checks: how many rows fail, and which.
 *
 * The table is named in full and has no alias, so that a condition may name its
 * columns as it would in a CHECK constraint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"

#include "check/check.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"
#include "kit/kit_words.h"

static char *failing_condition(SyncCheck *check, SyncCheckSubject *subject);
static void append_any_null(StringInfo sql, SyncCheck *check);
static void append_orphan(StringInfo sql,
						  SyncCheck *check,
						  SyncCheckSubject *subject);
static const char *equality(SyncCheckSubject *subject,
							const char *column,
							SyncCheck *check,
							const char *parent_column);
static Oid column_type(const char *table, const char *column);
static char *repeated_values(SyncCheck *check, SyncCheckSubject *subject);

/*
 * SELECT how many rows there are, and how many of them fail.
 */
char *
sync_check_compose_count(SyncCheck *check, SyncCheckSubject *subject)
{
	switch (check->kind)
	{
		case SYNC_CHECK_QUERY:
			return psprintf("SELECT n, n FROM (SELECT pg_catalog.count(*) AS n"
							" FROM (\n%s\n) AS found) AS counted",
							check->condition);
		case SYNC_CHECK_UNIQUE:
			return psprintf("SELECT (SELECT pg_catalog.count(*) FROM %s),"
							" coalesce(pg_catalog.sum(n OPERATOR(pg_catalog.-) 1), 0)"
							" FROM (SELECT pg_catalog.count(*) AS n FROM %s) AS repeated",
							subject->table,
							repeated_values(check, subject));
		default:
			return psprintf("SELECT (SELECT pg_catalog.count(*) FROM %s),"
							" (SELECT pg_catalog.count(*) FROM %s WHERE %s)",
							subject->table,
							subject->table,
							failing_condition(check, subject));
	}
}

/*
 * SELECT some of what fails: keys of rows, or values.
 */
char *
sync_check_compose_sample(SyncCheck *check,
						  SyncCheckSubject *subject,
						  int max_rows)
{
	char *key = sync_kit_list_names(subject->key);
	char *columns = sync_kit_list_names(check->columns);

	switch (check->kind)
	{
		case SYNC_CHECK_QUERY:
			return psprintf("SELECT pg_catalog.to_jsonb(\"sync_ext row\") FROM (\n%s\n) AS \"sync_ext row\" LIMIT %d",
							check->condition,
							max_rows);
		case SYNC_CHECK_UNIQUE:
			return psprintf("SELECT %s FROM %s ORDER BY pg_catalog.count(*) DESC, %s LIMIT %d",
							columns,
							repeated_values(check, subject),
							columns,
							max_rows);
		default:
			if (subject->key)
				return psprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d",
								key,
								subject->table,
								failing_condition(check, subject),
								key,
								max_rows);
			return psprintf("SELECT pg_catalog.to_jsonb(\"sync_ext row\") FROM (SELECT * FROM %s WHERE %s LIMIT %d) AS \"sync_ext row\"",
							subject->table,
							failing_condition(check, subject),
							max_rows);
	}
}

/*
 * The condition that a row fails.
 */
static char *
failing_condition(SyncCheck *check, SyncCheckSubject *subject)
{
	StringInfoData sql;

	initStringInfo(&sql);
	if (check->kind == SYNC_CHECK_CONDITION)
		appendStringInfo(&sql, "(\n%s\n) IS NOT TRUE", check->condition);
	else if (check->kind == SYNC_CHECK_NOT_NULL)
		append_any_null(&sql, check);
	else
		append_orphan(&sql, check, subject);
	return sql.data;
}

/*
 * That one of the columns has no value.
 */
static void
append_any_null(StringInfo sql, SyncCheck *check)
{
	ListCell *cell;

	foreach(cell, check->columns)
		appendStringInfo(sql,
						 "%s%s" SYNC_HAS_NO_VALUE,
						 foreach_current_index(cell) > 0 ? " OR " : "",
						 sync_kit_quote(lfirst(cell)));
}

/*
 * That all columns have values, and the parent has no row with these.
 */
static void
append_orphan(StringInfo sql, SyncCheck *check, SyncCheckSubject *subject)
{
	List *parents =
		check->parent_columns ? check->parent_columns : check->columns;
	ListCell *child;
	ListCell *parent;

	foreach(child, check->columns)
		appendStringInfo(sql,
						 "%s.%s" SYNC_HAS_VALUE " AND ",
						 subject->table,
						 sync_kit_quote(lfirst(child)));
	appendStringInfo(sql,
					 "NOT EXISTS (SELECT FROM %s AS sync_parent WHERE ",
					 check->parent);
	forboth(child, check->columns, parent, parents)
		appendStringInfo(sql,
						 "%ssync_parent.%s %s %s.%s",
						 foreach_current_index(child) > 0 ? " AND " : "",
						 sync_kit_quote(lfirst(parent)),
						 equality(subject, lfirst(child), check, lfirst(parent)),
						 subject->table,
						 sync_kit_quote(lfirst(child)));
	appendStringInfoChar(sql, ')');
}

/*
 * The operator by which a row of the parent is found, whatever the search_path
 * has: as of a constraint that of the parent's column, where the other one can be
 * taken for it.
 */
static const char *
equality(SyncCheckSubject *subject,
		 const char *column,
		 SyncCheck *check,
		 const char *parent_column)
{
	Oid child = column_type(subject->table, column);
	Oid parent = column_type(check->parent, parent_column);

	if (OidIsValid(child) && OidIsValid(parent) &&
		!can_coerce_type(1, &child, &parent, COERCION_IMPLICIT))
		parent = child;
	/* the statement itself says what is wrong */
	if (!OidIsValid(parent) || !sync_kit_order_has_equality(parent))
		return "=";
	return sync_kit_order_equality(parent);
}

/*
 * The type of a column; InvalidOid where there is none of that name.
 */
static Oid
column_type(const char *table, const char *column)
{
	Oid relation = sync_kit_find_relation(table, "the table of a check");
	AttrNumber number = get_attnum(relation, column);

	return number == InvalidAttrNumber ? InvalidOid
									   : get_atttype(relation, number);
}

/*
 * What follows FROM: the values that several rows have.
 */
static char *
repeated_values(SyncCheck *check, SyncCheckSubject *subject)
{
	StringInfoData nulls;

	initStringInfo(&nulls);
	append_any_null(&nulls, check);
	return psprintf("%s WHERE NOT (%s) GROUP BY %s HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
					subject->table,
					nulls.data,
					sync_kit_list_names(check->columns));
}
