/*-------------------------------------------------------------------------
 *
 * history_summary.c
 *	  History in figures, for a report.
 *
 * "since" is an interval: what began so long ago or later is looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "history/history.h"
#include "kit/kit_spi.h"

/* SQL: of a row of history, whether it failed */
#define FAILED "h.status IN ('failed', 'failed_permanent', 'stuck')"

/*
 * What was done in each of so many spans of the time since then, in order: when it
 * began, how many runs succeeded, and how many failed.
 */
SyncRows *
sync_history_by_time(const char *since, int spans)
{
	const char *values[] = {since, psprintf("%d", spans)};

	return sync_kit_spi_rows_own(
		"WITH span AS (SELECT now() - $1::interval AS first,"
		" (now() - (now() - $1::interval)) / $2::int AS width),"
		" done AS (SELECT least($2::int - 1, floor(extract(epoch FROM h.started_at - span.first)"
		" / extract(epoch FROM span.width)))::int AS n,"
		" count(*) FILTER (WHERE h.status = 'success') AS succeeded,"
		" count(*) FILTER (WHERE " FAILED ") AS failed"
		" FROM @extschema@.sync_history AS h, span"
		" WHERE h.started_at >= span.first AND h.started_at <= now()"
		" GROUP BY 1) "
		"SELECT to_char(span.first + n * span.width, 'YYYY-MM-DD HH24:MI:SS'),"
		" coalesce(done.succeeded, 0), coalesce(done.failed, 0)"
		" FROM span, generate_series(0, $2::int - 1) AS n"
		" LEFT JOIN done USING (n) ORDER BY n",
		sync_kit_text_params(lengthof(values), values));
}

/*
 * What was done since then, by operation: how many runs, how many of them failed,
 * rows they wrote, how long half of them and 95 of 100 took at most, and when the
 * last one began.
 */
SyncRows *
sync_history_by_operation(const char *since)
{
	return sync_kit_spi_rows_own(
		"SELECT h.operation, count(*), count(*) FILTER (WHERE " FAILED "),"
		" sum(h.inserted + h.updated + h.deleted),"
		" percentile_disc(0.5) WITHIN GROUP (ORDER BY h.duration),"
		" percentile_disc(0.95) WITHIN GROUP (ORDER BY h.duration),"
		" max(h.started_at)::timestamptz(0) "
		"FROM @extschema@.sync_history AS h"
		" WHERE h.started_at >= now() - $1::interval "
		"GROUP BY h.operation ORDER BY count(*) DESC, h.operation",
		sync_kit_text_params(1, &since));
}

/*
 * The last runs since then that failed, at most so many: when they began, operation,
 * subject, status, SQLSTATE and message.
 */
SyncRows *
sync_history_failures(const char *since, int max)
{
	const char *values[] = {since, psprintf("%d", max)};

	return sync_kit_spi_rows_own(
		"SELECT h.started_at::timestamptz(0), h.operation, h.subject, h.status,"
		" h.error_sqlstate, h.error_message "
		"FROM @extschema@.sync_history AS h"
		" WHERE h.started_at >= now() - $1::interval AND " FAILED
		" ORDER BY h.started_at DESC, h.history_id DESC LIMIT $2::int",
		sync_kit_text_params(lengthof(values), values));
}
