/*-------------------------------------------------------------------------
 *
 * queue_export.c
 *	  Operation types as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_export.h"
#include "queue/queue.h"

/*
 * Give the statements that make the operation types, but for those that are as
 * they were shipped.
 */
void
sync_queue_export(SyncRowSink sink, void *arg)
{
	static const SyncExportItem items[] = {
		{"operation_type", NULL, false},
		{"handler", NULL, false},
		{"kind", "transaction", false},
		{"timeout", NULL, false},
		{"max_attempts", "4", true},
		{"backoff_base", "00:02:00", false},
		{"backoff_factor", "2", true},
		{"backoff_cap", "1 day", false},
		{"backoff_jitter", "0", true},
		{"retry_sqlstates", NULL, false},
		{"search_path", "pg_catalog, pg_temp", false},
	};
	SyncRows *types =
		sync_kit_export_read("SELECT operation_type, handler, kind, timeout,"
							 " max_attempts, backoff_base, backoff_factor,"
							 " backoff_cap, backoff_jitter, retry_sqlstates,"
							 " search_path "
							 "FROM @extschema@.sync_operation_types "
							 "WHERE NOT shipped "
							 "ORDER BY operation_type COLLATE \"C\"");

	for (int i = 0; i < types->nrows; i++)
		sync_kit_export_row("sync_operation_types",
							items,
							lengthof(items),
							types->rows[i],
							sink,
							arg);
}
