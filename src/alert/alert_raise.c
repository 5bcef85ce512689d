/*-------------------------------------------------------------------------
 *
 * alert_raise.c
 *	  Writing down what somebody should look at.
 *
 * Once that is committed, those who perform tasks are woken to see who is to be
 * told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/elog.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "history/history.h"
#include "kit/kit_error.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "shmem/shmem_lanes.h"
#include "shmem/shmem_workers.h"

/* alerts that come at once are looked at together */
#define POKE_MS 1000

static void note_failed_run(const char *row);
static int64 purge_deliveries(TimestampTz before);
static void end_transaction(XactEvent event, void *arg);

/* somebody is to look when the transaction commits */
static bool poke = false;

/*
 * Follow what history is told of runs that failed, and let deliveries go with
 * history.  Called once from _PG_init.
 */
void
sync_alert_init(void)
{
	sync_history_on_failed(note_failed_run);
	sync_history_on_purge("alert_deliveries", purge_deliveries);
	RegisterXactCallback(end_transaction, NULL);
}

/*
 * Note an event, in the current transaction.  "queue_id" is the task that it is
 * about, 0: none.
 */
void
sync_alert_raise(const char *kind,
				 const char *subject,
				 const char *message,
				 int64 queue_id)
{
	const char *values[] = {
		kind,
		subject,
		message,
		queue_id ? psprintf(INT64_FORMAT, queue_id) : NULL,
	};

	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_alerts (kind, subject, message, queue_id)"
							 " VALUES ($1, $2, $3, $4::bigint)",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
	sync_alert_poke_at_commit();
}

/*
 * Have somebody look for alerts that are to be told, when this transaction
 * commits.
 */
void
sync_alert_poke_at_commit(void)
{
	poke = true;
}

/*
 * Say that alerts are seen to: those of a kind and a subject, up to an identity;
 * NULL: all.  Returns how many.
 */
int64
sync_alert_acknowledge(const char *kind, const char *subject, const int64 *up_to)
{
	const char *values[] = {
		kind,
		subject,
		up_to ? psprintf(INT64_FORMAT, *up_to) : NULL,
		GetUserNameFromId(GetUserId(), false),
	};

	return sync_kit_spi_run_own("UPDATE @extschema@.sync_alerts"
								" SET acknowledged_at = clock_timestamp(),"
								" acknowledged_by = $4"
								" WHERE acknowledged_at IS NULL"
								" AND ($1 IS NULL OR kind = $1)"
								" AND ($2 IS NULL OR subject = $2)"
								" AND ($3 IS NULL OR alert_id <= $3::bigint)",
								sync_kit_text_params(lengthof(values), values),
								false,
								NULL,
								NULL);
}

/*
 * Raise an alert where a run failed because a check of its stream did not hold.
 * "row" is what history has of it, JSON; a SyncFailedHook.
 */
static void
note_failed_run(const char *row)
{
	const char *values[] = {
		row,
		SYNC_ALERT_CHECK,
		unpack_sql_state(SYNC_ERRCODE_CHECK_FAILED),
	};

	if (sync_kit_spi_run_own(
			"INSERT INTO @extschema@.sync_alerts (kind, subject, message)"
			" SELECT $2, coalesce(r ->> 'subject', r ->> 'operation'),"
			" concat_ws(': ', r ->> 'error_message', r ->> 'error_detail')"
			" FROM CAST($1 AS jsonb) AS r WHERE r ->> 'error_sqlstate' = $3",
			sync_kit_text_params(lengthof(values), values),
			false,
			NULL,
			NULL) > 0)
		sync_alert_poke_at_commit();
}

/*
 * Delete what channels were told before some time; a SyncPurgeHook.
 */
static int64
purge_deliveries(TimestampTz before)
{
	const char *value = timestamptz_to_str(before);

	return sync_kit_spi_run_own("DELETE FROM @extschema@.sync_alert_deliveries"
								" WHERE delivered_at < $1::timestamptz",
								sync_kit_text_params(1, &value),
								false,
								NULL,
								NULL);
}

/*
 * Wake somebody, if there is something to be told.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && poke)
	{
		sync_shmem_lanes_sweep_by(MyDatabaseId,
								  TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
															  POKE_MS));
		sync_shmem_workers_wake(MyDatabaseId);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		poke = false;
}
