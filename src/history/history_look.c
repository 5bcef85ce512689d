/*-------------------------------------------------------------------------
 *
 * history_look.c
 *	  What history says of runs that are over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "history/history.h"
#include "kit/kit_spi.h"

/*
 * SQL: the last of the runs of a stream that succeeded.  The tenant is named in such
 * words that only the index that begins with stream and tenant has the rows in
 * this order: new tables have no statistics to choose it by.
 */
#define LAST_OF(column, whose, which)                                   \
	"SELECT " column " FROM @extschema@.sync_history"                   \
	" WHERE operation = 'stream' AND queue_id IS NULL AND subject = $1" \
	" AND status = 'success' AND " whose " AND " which                  \
	" ORDER BY timing_partner_id DESC, history_id DESC LIMIT 1"
#define OF_TENANT	 "timing_partner_id BETWEEN $2::bigint AND $2::bigint"
#define OF_NO_TENANT "timing_partner_id IS NULL"
#define IS_WHOLE	 "NOT coalesce(details ? '" SYNC_DETAIL_SINCE "', false)"
#define HAS_PARAMS	 "coalesce(details -> 'params', $3::jsonb) = $3::jsonb"

/*
 * How many rows the last run of a stream read that did the same, for the same
 * tenant, and succeeded; -1 where history knows of none.
 */
int64
sync_history_rows_before(const SyncRun *run)
{
	const char *values[] = {run->subject, run->tenant};
	SyncRows *found =
		sync_kit_spi_rows_own(run->tenant
								  ? LAST_OF("rows_read", OF_TENANT, IS_WHOLE)
								  : LAST_OF("rows_read", OF_NO_TENANT, IS_WHOLE),
							  sync_kit_text_params(lengthof(values), values));

	return found->nrows > 0 ? strtoi64(found->rows[0][0], NULL, 10) : -1;
}

/*
 * The identity of the last run of a stream that did the same, for the same
 * tenant, and succeeded; 0 where history knows of none.  Of those with
 * parameters, a JSON object, only the ones with these count; NULL: all do.
 */
int64
sync_history_last(const SyncRun *run, const char *params)
{
	const char *values[] = {run->subject, run->tenant, params};
	const char *sql =
		run->tenant ? (params ? LAST_OF("history_id", OF_TENANT, HAS_PARAMS)
							  : LAST_OF("history_id", OF_TENANT, "true"))
					: (params ? LAST_OF("history_id", OF_NO_TENANT, HAS_PARAMS)
							  : LAST_OF("history_id", OF_NO_TENANT, "true"));
	SyncRows *found =
		sync_kit_spi_rows_own(sql,
							  sync_kit_text_params(lengthof(values), values));

	return found->nrows > 0 ? strtoi64(found->rows[0][0], NULL, 10) : 0;
}

/*
 * What was synced since so long (an interval) though no job asked for it: kind,
 * subject and role of the runs, how many there were, how many rows they wrote,
 * and when the first and the last one began.
 */
SyncRows *
sync_history_without_job(const char *since)
{
	return sync_kit_spi_rows_own(
		"SELECT operation, subject, run_by, count(*),"
		" sum(inserted + updated + deleted), min(started_at), max(started_at) "
		"FROM @extschema@.sync_history "
		"WHERE started_at >= now() - $1::interval AND sync_job_id IS NULL"
		" AND status = 'success' AND operation <> 'purge' "
		"GROUP BY operation, subject, run_by "
		"ORDER BY max(started_at) DESC, operation, subject, run_by",
		sync_kit_text_params(1, &since));
}

/*
 * The last attempts at tasks of a tenant and when one succeeded last, as a JSON
 * object in the current memory context.  "params" are the tenant, and how many
 * are wanted; what is seen is what the current snapshot shows.
 */
char *
sync_history_of_tenant(ParamListInfo params)
{
	SyncRows *found = sync_kit_rows_create();

	(void) sync_kit_spi_run_own(
		"SELECT jsonb_build_object("
		"'recent_syncs', (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM"
		" (SELECT history_id, queue_id, operation, subject AS provider_name,"
		" status, attempt, started_at, duration, error_message"
		" FROM @extschema@.sync_history WHERE timing_partner_id = $1"
		" AND queue_id IS NOT NULL"
		" ORDER BY started_at DESC, history_id DESC LIMIT greatest($2, 0)) AS r),"
		"'last_successful_sync', (SELECT started_at + duration"
		" FROM @extschema@.sync_history"
		" WHERE timing_partner_id = $1 AND status = 'success'"
		" AND queue_id IS NOT NULL"
		" ORDER BY started_at DESC LIMIT 1))",
		params,
		true,
		sync_kit_rows_collect,
		found);
	return found->rows[0][0];
}

/*
 * The task of that number as it was when it failed for good or was cancelled, as
 * a JSON object in the current memory context; NULL where there was none.
 */
char *
sync_history_given_up_task(int64 queue_id)
{
	ParamListInfo params = makeParamList(1);
	SyncRows *found;

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(queue_id));
	found =
		sync_kit_spi_rows_own("SELECT details -> 'task' FROM @extschema@.sync_history"
							  " WHERE queue_id = $1 AND status IN ('failed_permanent', 'cancelled')"
							  " ORDER BY history_id DESC LIMIT 1",
							  params);
	return found->nrows > 0 ? found->rows[0][0] : NULL;
}
