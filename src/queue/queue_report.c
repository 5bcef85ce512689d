/*-------------------------------------------------------------------------
 *
 * queue_report.c
 *	  How the syncs of a tenant are going.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_spi.h"
#include "queue/queue_row.h"

/*
 * The report on a tenant as a JSON object, in the current memory context.
 * "params" are the tenant, and how many of
 * its last syncs are wanted.
 */
char *
sync_queue_status_of(ParamListInfo params)
{
	char *report = NULL;

	(void) sync_kit_spi_run_own(
		"SELECT jsonb_build_object("
		"'recent_syncs', (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM"
		" (SELECT history_id, queue_id, operation, subject AS provider_name,"
		" status, attempt, started_at, duration, error_message"
		" FROM @extschema@.sync_history WHERE timing_partner_id = $1"
		" ORDER BY started_at DESC, history_id DESC LIMIT greatest($2, 0)) AS r),"
		"'last_successful_sync', (SELECT started_at + duration"
		" FROM @extschema@.sync_history"
		" WHERE timing_partner_id = $1 AND status = 'success'"
		" ORDER BY started_at DESC LIMIT 1),"
		"'pending_jobs', (SELECT count(*) FROM @extschema@.sync_queue"
		" WHERE timing_partner_id = $1))",
		params,
		true,
		sync_queue_take_text,
		&report);
	return report;
}

/*
 * Whether a job has tasks in the queue.
 */
bool
sync_queue_has_job(Datum id)
{
	ParamListInfo params = makeParamList(1);

	sync_queue_param(params, 0, UUIDOID, id);
	return sync_kit_spi_run_own("SELECT FROM @extschema@.sync_queue"
								" WHERE sync_job_id = $1 LIMIT 1",
								params,
								false,
								NULL,
								NULL) > 0;
}
