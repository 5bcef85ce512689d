/*-------------------------------------------------------------------------
 *
 * flow_export.c
 *	  Streams as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/flow_export.h"

/*
 * Give the statements that create the streams, in the order of their names.  How
 * far they have read is no definition.
 */
void
sync_flow_export(SyncRowSink sink, void *arg)
{
	static const SyncExportItem items[] = {
		{"name", NULL, false},		   {"target", NULL, false},
		{"key", NULL, false},		   {"query", NULL, false},
		{"server", NULL, false},	   {"mode", "upsert", false},
		{"synced_at", NULL, false},	   {"synced_at_rows", "changed", false},
		{"deleted_at", NULL, false},   {"duplicates", "fail", false},
		{"order_by", NULL, false},	   {"max_delete_share", "0.5", true},
		{"max_rejects", "0", true},	   {"watermark", NULL, false},
		{"lookback", NULL, false},	   {"file", NULL, false},
		{"format", NULL, false},	   {"columns", NULL, false},
		{"file_options", NULL, false}, {"max_reject_share", NULL, true},
		{"keep_undo", NULL, false},	   {"endpoint", NULL, false},
		{"params", NULL, false},	   {"tenant_column", NULL, false},
		{"search_path", NULL, false},
	};
	SyncRows *streams =
		sync_kit_export_read("SELECT stream_name, target, key_columns, query,"
							 " server, mode, synced_at, synced_at_rows,"
							 " deleted_at, duplicates, order_by,"
							 " max_delete_share, max_rejects, watermark,"
							 " lookback, file, format, columns, file_options,"
							 " max_reject_share, keep_undo, endpoint, params,"
							 " tenant_column, search_path "
							 "FROM @extschema@.sync_streams "
							 "ORDER BY stream_name COLLATE \"C\"");

	for (int i = 0; i < streams->nrows; i++)
		sync_kit_export_call("sync_create_stream",
							 items,
							 lengthof(items),
							 streams->rows[i],
							 sink,
							 arg);
}
