/*-------------------------------------------------------------------------
 *
 * check_look.c
 *	  A look at columns of any relation: how many values, which of them twice.
 *
 * What can be read by the caller can be looked at: tables, partitioned or
 * foreign, views and materialized views.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "check/check.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"

/* so many places are shown of the rows with one key */
#define PLACES_MAX "10"

static const char *readable_relation(Oid relation);
static void check_columns(Oid relation, List *columns);
static bool has_places(Oid relation);

/*
 * Count the rows of a relation, and those with a value in the column: one row of
 * total, present and percent, NULL where there are no rows.
 */
void
sync_check_coverage(Oid relation,
					const char *column,
					SyncRowSink sink,
					void *arg)
{
	const char *name = readable_relation(relation);

	check_columns(relation, list_make1((char *) column));
	(void)
		sync_kit_spi_run(psprintf("SELECT total, present,"
								  " CASE WHEN total OPERATOR(pg_catalog.>) 0 THEN"
								  " pg_catalog.round(100.0 OPERATOR(pg_catalog.*) present"
								  " OPERATOR(pg_catalog./) total, 2) END"
								  " FROM (SELECT pg_catalog.count(*) AS total,"
								  " pg_catalog.count(CASE WHEN %s" SYNC_HAS_VALUE
								  " THEN 1 END) AS present"
								  " FROM %s) AS counted",
								  sync_kit_quote(column),
								  name),
						 NULL,
						 true,
						 sink,
						 arg);
}

/*
 * Find what several rows have in those columns, most often repeated first: key,
 * count and, in plain tables, the places of the rows.  A row without a value in
 * one of them repeats nothing.
 */
void
sync_check_duplicates(Oid relation,
					  List *columns,
					  int max_rows,
					  SyncRowSink sink,
					  void *arg)
{
	const char *name = readable_relation(relation);
	char *list = sync_kit_list_names(columns);
	StringInfoData object;
	StringInfoData present;
	ListCell *cell;

	check_columns(relation, columns);
	initStringInfo(&object);
	initStringInfo(&present);
	foreach(cell, columns)
	{
		const char *column = sync_kit_quote(lfirst(cell));
		bool first = foreach_current_index(cell) == 0;

		appendStringInfo(&object,
						 "%s%s, %s",
						 first ? "" : ", ",
						 quote_literal_cstr(lfirst(cell)),
						 column);
		appendStringInfo(&present,
						 "%s%s" SYNC_HAS_VALUE,
						 first ? "" : " AND ",
						 column);
	}
	(void) sync_kit_spi_run(
		psprintf("SELECT pg_catalog.jsonb_build_object(%s), pg_catalog.count(*), %s"
				 " FROM %s WHERE %s GROUP BY %s"
				 " HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1"
				 " ORDER BY pg_catalog.count(*) DESC, %s LIMIT %d",
				 object.data,
				 has_places(relation)
					 ? "(pg_catalog.array_agg(ctid ORDER BY ctid))[:" PLACES_MAX
					   "]"
					 : "NULL",
				 name,
				 present.data,
				 list,
				 list,
				 max_rows),
		NULL,
		true,
		sink,
		arg);
}

/*
 * The full name of a relation for SQL.  Raises where it has no rows to be read.
 */
static const char *
readable_relation(Oid relation)
{
	switch (get_rel_relkind(relation))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			return sync_kit_qualified_name(relation);
		default:
			ereport(ERROR,
					errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("cannot look at the rows of %s",
						   sync_kit_qualified_name(relation)),
					errhint("Name a table, a view or a materialized view."));
	}
}

/*
 * Raise unless the relation has all of the columns.
 */
static void
check_columns(Oid relation, List *columns)
{
	ListCell *cell;

	if (columns == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("no columns are named"),
				errhint("Name them by their exact names: '{a,b}'."));
	foreach(cell, columns)
		if (get_attnum(relation, lfirst(cell)) == InvalidAttrNumber)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of relation \"%s\" does not exist",
						   (char *) lfirst(cell),
						   get_rel_name(relation)),
					errhint("Names are taken exactly, capitals included."));
}

/*
 * Whether a ctid tells the rows of a relation apart, and the caller may see it:
 * it comes with the right on all columns only.
 */
static bool
has_places(Oid relation)
{
	char kind = get_rel_relkind(relation);

	return (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW) &&
		   pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}
