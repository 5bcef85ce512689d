/*-------------------------------------------------------------------------
 *
 * export_sql.c
 *	  All definitions as the SQL that makes them again.
 *
 * Each part that owns definitions has a function that gives its own, with
 * kit_export.c, and declares it in a header of its own.  Here they stand in the
 * order in which they can be made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "check/check_export.h"
#include "flow/flow_export.h"
#include "kit/kit_result.h"
#include "progress/progress_export.h"
#include "provider/provider_export.h"
#include "push/push_export.h"
#include "queue/queue_export.h"

PG_FUNCTION_INFO_V1(sync_sql_export);

/*
 * sync_export() RETURNS SETOF text
 */
Datum
sync_sql_export(PG_FUNCTION_ARGS)
{
	static void (*const parts[])(SyncRowSink sink, void *arg) = {
		sync_progress_export,
		sync_flow_export,
		sync_check_export, /* of streams */
		sync_queue_export,
		sync_provider_export,
		sync_push_export,
	};
	SyncResult *result = sync_kit_result_start(fcinfo, true);

	for (int i = 0; i < lengthof(parts); i++)
		parts[i](sync_kit_result_put, result);
	return (Datum) 0;
}
