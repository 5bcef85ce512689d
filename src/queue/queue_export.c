/*-------------------------------------------------------------------------
 *
 * queue_export.c
 *	  Operation types as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "queue/queue_export.h"

/*
 * Give the statements that make the operation types, but for those that are as
 * they were shipped.
 */
void
sync_queue_export(SyncRowSink sink, void *arg)
{
	sync_kit_export_table("sync_operation_types",
						  "operation_type COLLATE \"C\"",
						  sink,
						  arg);
}
