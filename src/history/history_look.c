/*-------------------------------------------------------------------------
 *
 * history_look.c
 *	  What history says of runs that are over.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history/history.h"
#include "kit/kit_spi.h"

/*
 * How many rows the last run read that did the same and succeeded; -1 where
 * history knows of none.
 */
int64
sync_history_rows_before(const SyncRun *run)
{
	const char *values[] = {run->operation, run->subject, run->tenant};
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT rows_read FROM @extschema@.sync_history"
							  " WHERE operation = $1 AND subject = $2"
							  " AND timing_partner_id IS NOT DISTINCT FROM $3::bigint"
							  " AND status = 'success'"
							  " AND NOT coalesce(details ? '" SYNC_DETAIL_SINCE
							  "', false)"
							  " ORDER BY history_id DESC LIMIT 1",
							  sync_kit_text_params(lengthof(values), values));

	return found->nrows > 0 ? strtoi64(found->rows[0][0], NULL, 10) : -1;
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
