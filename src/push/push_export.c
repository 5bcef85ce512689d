/*-------------------------------------------------------------------------
 *
 * push_export.c
 *	  Pushes as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "push/push_export.h"

/*
 * Give the statements that create the pushes, in the order of their names.  What
 * was pushed is no definition.
 */
void
sync_push_export(SyncRowSink sink, void *arg)
{
	static const SyncExportItem items[] = {
		{"name", NULL, false},
		{"endpoint", NULL, false},
		{"query", NULL, false},
		{"key", NULL, false},
		{"params", "{}", false},
		{"param_columns", "{}", false},
		{"tenant_column", NULL, false},
		{"not_sent", NULL, false},
		{"update_endpoint", NULL, false},
		{"delete_endpoint", NULL, false},
		{"batch_size", NULL, true},
		{"max_delete_share", "0.5", true},
	};
	SyncRows *pushes =
		sync_kit_export_read("SELECT push_name, endpoint, query, key_columns,"
							 " params, param_columns, tenant_column, not_sent,"
							 " update_endpoint, delete_endpoint, batch_size,"
							 " max_delete_share "
							 "FROM @extschema@.sync_pushes "
							 "ORDER BY push_name COLLATE \"C\"");

	for (int i = 0; i < pushes->nrows; i++)
		sync_kit_export_call("sync_create_push",
							 items,
							 lengthof(items),
							 pushes->rows[i],
							 sink,
							 arg);
}
