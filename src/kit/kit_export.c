/*-------------------------------------------------------------------------
 *
 * kit_export.c
 *	  Definitions as the SQL that makes them again.
 *
 * A part that has definitions reads them from its own table and says how each is
 * made; what is as it would be anyway is left out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "kit/kit_export.h"
#include "kit/kit_ident.h"
#include "kit/kit_override.h"
#include "kit/kit_spi.h"

/* the columns of read_columns, in the order of its SELECT list */
enum ColumnCell
{
	COLUMN_NAME,
	COLUMN_DEFAULT,
	COLUMN_BARE,
};

static SyncRows *read_columns(const char *table);
static void put_row(const char *table,
					SyncRows *columns,
					char **cells,
					SyncRowSink sink,
					void *arg);
static bool is_said(const SyncExportItem *item, const char *cell);
static const char *value_of(const SyncExportItem *item, const char *cell);
static void put(SyncRowSink sink, void *arg, char *statement);

/*
 * Read definitions from our own tables, as text that no setting changes.  The
 * rows live in the current memory context.
 */
SyncRows *
sync_kit_export_read(const char *sql)
{
	int settings = NewGUCNestLevel();
	SyncRows *rows;

	sync_kit_override("IntervalStyle", "postgres");
	rows = sync_kit_spi_rows_own(sql, NULL);
	AtEOXact_GUC(true, settings);
	return rows;
}

/*
 * Give the statement that calls a function of ours with what "cells" say of the
 * items, which are in the same order.
 */
void
sync_kit_export_call(const char *function,
					 const SyncExportItem *items,
					 int nitems,
					 char **cells,
					 SyncRowSink sink,
					 void *arg)
{
	StringInfoData sql;
	const char *separator = "";

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT %s.%s(",
					 sync_kit_bind_schema("@extschema@"),
					 function);
	for (int i = 0; i < nitems; i++)
		if (is_said(&items[i], cells[i]))
		{
			appendStringInfo(&sql,
							 "%s\n\t%s => %s",
							 separator,
							 quote_identifier(items[i].name),
							 value_of(&items[i], cells[i]));
			separator = ",";
		}
	appendStringInfoString(&sql, ");");
	put(sink, arg, sql.data);
}

/*
 * Give the statements that insert the rows of a table of ours, but for those that
 * are as they were shipped, in the order of some of its columns.
 */
void
sync_kit_export_table(const char *table,
					  const char *order_by,
					  SyncRowSink sink,
					  void *arg)
{
	SyncRows *columns = read_columns(table);
	SyncRows *rows;
	StringInfoData sql;

	/* each value, and what it would be anyway */
	initStringInfo(&sql);
	for (int i = 0; i < columns->nrows; i++)
		appendStringInfo(&sql,
						 "%s %s, %s",
						 i > 0 ? "," : "SELECT",
						 sync_kit_quote(columns->rows[i][COLUMN_NAME]),
						 columns->rows[i][COLUMN_DEFAULT]);
	appendStringInfo(&sql,
					 " FROM @extschema@.%s WHERE NOT shipped ORDER BY %s",
					 table,
					 order_by);
	rows = sync_kit_export_read(sql.data);
	for (int i = 0; i < rows->nrows; i++)
		put_row(table, columns, rows->rows[i], sink, arg);
}

/*
 * Read the columns of a table of ours that a definition consists of; ColumnCell
 * names what is read of each.
 */
static SyncRows *
read_columns(const char *table)
{
	return sync_kit_spi_rows_own("SELECT a.attname,"
								 " coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL'),"
								 " t.typcategory IN ('B', 'N') "
								 "FROM pg_extension AS x"
								 " JOIN pg_class AS c ON c.relnamespace = x.extnamespace"
								 " JOIN pg_attribute AS a ON a.attrelid = c.oid"
								 " AND a.attnum > 0 AND NOT a.attisdropped"
								 " AND a.attname <> 'shipped'"
								 " JOIN pg_type AS t ON t.oid = a.atttypid"
								 " LEFT JOIN pg_attrdef AS d"
								 " ON d.adrelid = c.oid AND d.adnum = a.attnum "
								 "WHERE x.extname = 'sync_ext' AND c.relname = $1 "
								 "ORDER BY a.attnum",
								 sync_kit_text_params(1, &table));
}

/*
 * Give the statement that inserts one row: pairs of a value and what it would be
 * anyway.
 */
static void
put_row(const char *table,
		SyncRows *columns,
		char **cells,
		SyncRowSink sink,
		void *arg)
{
	StringInfoData names;
	StringInfoData values;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < columns->nrows; i++)
	{
		char **column = columns->rows[i];
		SyncExportItem item = {
			.name = column[COLUMN_NAME],
			.otherwise = cells[2 * i + 1],
			.bare = strcmp(column[COLUMN_BARE], "t") == 0,
		};

		if (!is_said(&item, cells[2 * i]))
			continue;
		appendStringInfo(&values,
						 "%s\n\t%s",
						 names.len > 0 ? "," : "",
						 value_of(&item, cells[2 * i]));
		appendStringInfo(&names,
						 "%s%s",
						 names.len > 0 ? ", " : "",
						 quote_identifier(item.name));
	}
	put(sink,
		arg,
		psprintf("INSERT INTO %s.%s (%s) VALUES (%s);",
				 sync_kit_bind_schema("@extschema@"),
				 table,
				 names.data,
				 values.data));
}

/*
 * Whether a value differs from what it would be anyway.
 */
static bool
is_said(const SyncExportItem *item, const char *cell)
{
	if (cell == NULL || item->otherwise == NULL)
		return cell != item->otherwise;
	return strcmp(cell, item->otherwise) != 0;
}

/*
 * A value for SQL.
 */
static const char *
value_of(const SyncExportItem *item, const char *cell)
{
	if (cell == NULL)
		return "NULL";
	if (!item->bare)
		return quote_literal_cstr(cell);
	if (strcmp(cell, "t") == 0)
		return "true";
	return strcmp(cell, "f") == 0 ? "false" : cell;
}

/*
 * Hand on a statement.
 */
static void
put(SyncRowSink sink, void *arg, char *statement)
{
	sink(arg, 1, &statement);
}
