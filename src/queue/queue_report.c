/*-------------------------------------------------------------------------
 *
 * queue_report.c
 *	  How the syncs of a tenant are going.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "kit/kit_spi.h"
#include "queue/queue_row.h"

/*
 * The report on a tenant as a JSON object, in the current memory context.
 * "params" are the tenant, and how many of its last syncs are wanted.
 */
char *
sync_queue_status_of(ParamListInfo params)
{
	ParamListInfo merged = makeParamList(2);
	char *history = sync_history_of_tenant(params);
	char *report = NULL;

	merged->params[0] = params->params[0];
	sync_queue_param(merged, 1, TEXTOID, CStringGetTextDatum(history));
	(void) sync_kit_spi_run_own("SELECT $2::jsonb || jsonb_build_object("
								"'pending_jobs', count(*), 'waiting_jobs',"
								" count(*) FILTER (WHERE status = 'waiting'))"
								" FROM @extschema@.sync_queue"
								" WHERE timing_partner_id = $1",
								merged,
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
