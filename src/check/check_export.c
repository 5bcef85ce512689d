/*-------------------------------------------------------------------------
 *
 * check_export.c
 *	  Checks as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "check/check_export.h"

/*
 * Give the statements that add the checks, in the order of their streams.
 */
void
sync_check_export(SyncRowSink sink, void *arg)
{
	static const SyncExportItem items[] = {
		{"stream", NULL, false},
		{"name", NULL, false},
		{"kind", NULL, false},
		{"columns", NULL, false},
		{"condition", NULL, false},
		{"parent", NULL, false},
		{"parent_columns", NULL, false},
		{"min_share", NULL, true},
		{"max_share", NULL, true},
		{"severity", "error", false},
	};
	SyncRows *checks =
		sync_kit_export_read("SELECT stream_name, check_name, kind,"
							 " column_names, condition, parent,"
							 " parent_columns, min_share, max_share, severity "
							 "FROM @extschema@.sync_checks "
							 "ORDER BY stream_name COLLATE \"C\","
							 " check_name COLLATE \"C\"");

	for (int i = 0; i < checks->nrows; i++)
		sync_kit_export_call("sync_add_check",
							 items,
							 lengthof(items),
							 checks->rows[i],
							 sink,
							 arg);
}
