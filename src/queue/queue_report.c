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
#include "queue/queue_driver.h"
#include "queue/queue_report.h"
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
	sync_kit_set_param(merged, 1, TEXTOID, CStringGetTextDatum(history));
	(void) sync_kit_spi_run_own("SELECT $2::jsonb || jsonb_build_object("
								"'pending_jobs', count(*), 'waiting_jobs',"
								" count(*) FILTER (WHERE status = 'waiting'))"
								" FROM @extschema@.sync_queue"
								" WHERE timing_partner_id = $1",
								merged,
								true,
								sync_kit_take_text,
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

	sync_kit_set_param(params, 0, UUIDOID, id);
	return sync_kit_spi_run_own("SELECT FROM @extschema@.sync_queue"
								" WHERE sync_job_id = $1 LIMIT 1",
								params,
								false,
								NULL,
								NULL) > 0;
}

/*
 * What has been held back for longer than that, of some provider: its name, and
 * behind that the operation type if it is one; since when; who did it.
 */
SyncRows *
sync_queue_long_pauses(int64 longer_ms)
{
	const char *value = psprintf(INT64_FORMAT, longer_ms);

	return sync_kit_spi_rows_own(
		"SELECT concat_ws(' ', provider_name, operation_type), paused_at, paused_by"
		" FROM @extschema@.sync_queue_pauses WHERE provider_name IS NOT NULL"
		" AND paused_at < clock_timestamp() - $1::bigint * interval '1 ms'",
		sync_kit_text_params(1, &value));
}

/*
 * Since when the oldest of the tasks is due that have been for longer than that,
 * in the current memory context; NULL: there is none.  Those that are held back
 * and those of operation type "but" do not count.
 *
 * Lanes are in the order of their tasks, so the first of each is enough.
 */
char *
sync_queue_due_since(int64 longer_ms, const char *but)
{
	const char *values[] = {psprintf(INT64_FORMAT, longer_ms), but};
	SyncRows *found = sync_kit_spi_rows_own(
		"WITH RECURSIVE firsts AS ("
		"(SELECT q.priority, q.lane, greatest(q.scheduled_time, q.created_at) AS due_at,"
		" q.provider_name, q.operation_type"
		" FROM @extschema@.sync_queue AS q WHERE q.status = 'pending'"
		" ORDER BY q.priority, q.lane, q.scheduled_time, q.queue_id LIMIT 1)"
		" UNION ALL "
		"SELECT n.* FROM firsts AS f CROSS JOIN LATERAL ("
		" SELECT q.priority, q.lane, greatest(q.scheduled_time, q.created_at) AS due_at,"
		" q.provider_name, q.operation_type"
		" FROM @extschema@.sync_queue AS q WHERE q.status = 'pending'"
		" AND (q.priority, q.lane) > (f.priority, f.lane)"
		" ORDER BY q.priority, q.lane, q.scheduled_time, q.queue_id LIMIT 1) AS n) "
		"SELECT min(f.due_at) FROM firsts AS f"
		" WHERE f.due_at < clock_timestamp() - $1::bigint * interval '1 ms'"
		" AND f.operation_type <> $2"
		" AND NOT EXISTS (SELECT FROM @extschema@.sync_queue_pauses AS p"
		" WHERE (p.provider_name IS NULL OR p.provider_name = f.provider_name)"
		" AND (p.operation_type IS NULL OR p.operation_type = f.operation_type))",
		sync_kit_text_params(lengthof(values), values));

	return found->rows[0][0];
}

/*
 * Whom a task in the queue is for; false where that is nobody, or there is no such
 * task.
 */
bool
sync_queue_partner_of(const char *queue_id, int64 *partner)
{
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT timing_partner_id"
							  " FROM @extschema@.sync_queue"
							  " WHERE queue_id = $1::bigint",
							  sync_kit_text_params(1, &queue_id));

	if (found->nrows == 0 || found->rows[0][0] == NULL)
		return false;
	*partner = strtoi64(found->rows[0][0], NULL, 10);
	return true;
}
