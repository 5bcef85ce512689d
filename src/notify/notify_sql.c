/*-------------------------------------------------------------------------
 *
 * notify_sql.c
 *	  The SQL face of alerts on their way: arguments in, results out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "notify/notify.h"

PG_FUNCTION_INFO_V1(sync_sql_deliver_alerts);

/*
 * sync_deliver_alerts(queue_id bigint, payload jsonb) RETURNS jsonb
 */
Datum
sync_sql_deliver_alerts(PG_FUNCTION_ARGS)
{
	return sync_queue_drive_plainly(&sync_notify_driver, fcinfo);
}
