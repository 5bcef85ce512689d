/*-------------------------------------------------------------------------
 *
 * flow_fresh.c
 *	  sync_freshness: how old streams may get, and which are older.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "flow/flow.h"
#include "flow/flow_fresh.h"
#include "kit/kit_spi.h"

/*
 * Declare how old a stream may get, as an interval; NULL: any age.
 */
void
sync_flow_set_freshness(const char *stream, const char *max_age)
{
	const char *values[] = {stream, max_age};

	(void) sync_flow_load(stream);
	if (max_age == NULL)
		(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_freshness"
									" WHERE stream_name = $1",
									sync_kit_text_params(1, values),
									false,
									NULL,
									NULL);
	else
		(void)
			sync_kit_spi_run_own("INSERT INTO @extschema@.sync_freshness (stream_name, max_age)"
								 " VALUES ($1, $2::interval)"
								 " ON CONFLICT (stream_name) DO UPDATE"
								 " SET max_age = excluded.max_age, declared_at = now()",
								 sync_kit_text_params(2, values),
								 false,
								 NULL,
								 NULL);
}

/*
 * The streams that are older than they may get: their names, and what is to be
 * said of each.
 */
SyncRows *
sync_flow_stale_streams(void)
{
	return sync_kit_spi_rows_own(
		"SELECT f.stream_name, 'stream \"' || f.stream_name || '\" is too old: ' || CASE WHEN last.started_at IS NULL"
		" THEN 'it has not run successfully since that was declared, at '"
		" || f.declared_at ELSE 'its last successful run began at '"
		" || last.started_at END || '; it may be ' || f.max_age || ' old' "
		"FROM @extschema@.sync_freshness AS f"
		" LEFT JOIN LATERAL (SELECT h.started_at"
		" FROM @extschema@.sync_history_streams AS h"
		" WHERE h.stream_name = f.stream_name AND h.status = 'success'"
		" ORDER BY h.history_id DESC LIMIT 1) AS last ON true "
		"WHERE coalesce(last.started_at, f.declared_at) + f.max_age"
		" < clock_timestamp() ORDER BY f.stream_name",
		NULL);
}
