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
#include "kit/kit_spi.h"

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

	(void) set_config_option("IntervalStyle",
							 "postgres",
							 PGC_USERSET,
							 PGC_S_SESSION,
							 GUC_ACTION_SAVE,
							 true,
							 0,
							 false);
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
 * Give the statement that inserts a row into a table of ours likewise.
 */
void
sync_kit_export_row(const char *table,
					const SyncExportItem *items,
					int nitems,
					char **cells,
					SyncRowSink sink,
					void *arg)
{
	StringInfoData names;
	StringInfoData values;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < nitems; i++)
		if (is_said(&items[i], cells[i]))
		{
			const char *separator = names.len > 0 ? ", " : "";

			appendStringInfo(&names,
							 "%s%s",
							 separator,
							 quote_identifier(items[i].name));
			appendStringInfo(&values,
							 "%s\n\t%s",
							 values.len > 0 ? "," : "",
							 value_of(&items[i], cells[i]));
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
