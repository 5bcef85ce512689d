/*-------------------------------------------------------------------------
 *
 * alert_group.c
 *	  sync_alert_deliveries: alerts gathered into what each channel is told.
 *
 * Whoever raises an alert only inserts it, and waits for nobody.  Afterwards one
 * process at a time adds those that are new to the rows of their channels, and
 * has a task for each channel that is to be told something: one at a time, and
 * not before the channel may have another message.  The task takes all that is
 * due by then; what it cannot deliver stays, and is taken by the next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "alert/alert.h"
#include "kit/kit_spi.h"

#define LOCK_SUBID 4 /* those of users' advisory locks are 1 and 2 */

/* so many alerts are gathered by one statement */
#define ALERTS_AT_ONCE "10000"

/* so many groups are spelled out in a message, of texts so long */
#define GROUPS_SHOWN  "20"
#define MESSAGE_CHARS "500"

/* after it gave up, a channel is tried again after so long */
#define TRY_AGAIN_AFTER "'1 hour'"

#define UTC(time)                           \
	"to_char(" time " AT TIME ZONE 'UTC', " \
	"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/*
 * Be the one that gathers alerts, until the transaction ends; false where another
 * is at it.
 */
bool
sync_alert_enter_groups(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, LOCK_SUBID);
	return LockAcquire(&tag, ExclusiveLock, false, true) !=
		   LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Gather the alerts that nobody has looked at, by channel, kind and subject.
 * Those that somebody is just writing to are left for the next time.
 */
void
sync_alert_group(void)
{
	(void) sync_kit_spi_run_own(
		"WITH fresh AS MATERIALIZED ("
		" SELECT alert_id, raised_at, kind, subject, message"
		" FROM @extschema@.sync_alerts WHERE deliveries IS NULL"
		" ORDER BY alert_id LIMIT " ALERTS_AT_ONCE " FOR UPDATE SKIP LOCKED), "
		"spans AS (SELECT c.channel_name, f.kind, f.subject, count(*) AS alerts,"
		" min(f.alert_id) AS first_id, max(f.alert_id) AS last_id,"
		" min(f.raised_at) AS first_at, max(f.raised_at) AS last_at,"
		" min(f.raised_at) + min(c.group_window) AS due_at"
		" FROM fresh AS f JOIN @extschema@.sync_alert_channels AS c"
		" ON c.active AND f.raised_at >= c.created_at"
		" AND (c.events IS NULL OR f.kind = ANY (c.events))"
		" GROUP BY c.channel_name, f.kind, f.subject), "
		"told AS MATERIALIZED (SELECT s.*, a.message AS first_message,"
		" z.message AS last_message FROM spans AS s"
		" JOIN fresh AS a ON a.alert_id = s.first_id"
		" JOIN fresh AS z ON z.alert_id = s.last_id), "
		"known AS MATERIALIZED (SELECT d.delivery_id, t.*"
		" FROM told AS t JOIN @extschema@.sync_alert_deliveries AS d"
		" ON d.channel_name = t.channel_name AND d.kind = t.kind"
		" AND d.subject = t.subject AND d.message_id IS NULL"
		" AND d.delivered_at IS NULL), "
		"joined AS (UPDATE @extschema@.sync_alert_deliveries AS d"
		" SET alerts = d.alerts + k.alerts,"
		" last_alert_id = greatest(d.last_alert_id, k.last_id),"
		" last_at = greatest(d.last_at, k.last_at), last_message = k.last_message"
		" FROM known AS k WHERE d.delivery_id = k.delivery_id"
		" RETURNING d.delivery_id, d.kind, d.subject), "
		"added AS (INSERT INTO @extschema@.sync_alert_deliveries"
		" (channel_name, kind, subject, alerts, first_alert_id, last_alert_id,"
		" first_at, last_at, first_message, last_message, due_at)"
		" SELECT t.channel_name, t.kind, t.subject, t.alerts, t.first_id,"
		" t.last_id, t.first_at, t.last_at, t.first_message, t.last_message,"
		" t.due_at FROM told AS t WHERE NOT EXISTS (SELECT FROM known AS k"
		" WHERE k.channel_name = t.channel_name AND k.kind = t.kind"
		" AND k.subject = t.subject)"
		" RETURNING delivery_id, kind, subject), "
		"rows AS (SELECT kind, subject, array_agg(delivery_id ORDER BY delivery_id) AS ids"
		" FROM (SELECT * FROM joined UNION ALL SELECT * FROM added) AS d"
		" GROUP BY kind, subject) "
		"UPDATE @extschema@.sync_alerts AS a SET deliveries = coalesce(r.ids, '{}')"
		" FROM fresh AS f LEFT JOIN rows AS r"
		" ON r.kind = f.kind AND r.subject = f.subject"
		" WHERE a.alert_id = f.alert_id",
		NULL,
		false,
		NULL,
		NULL);
}

/*
 * The tasks that channels are to have, as a jsonb array for the queue, in the
 * current memory context; NULL: none.  A channel has one at a time.
 */
Datum *
sync_alert_tasks(void)
{
	Datum *tasks;
	SyncRows *rows = sync_kit_rows_create();

	(void) sync_kit_spi_run_own(
		"SELECT jsonb_agg(jsonb_build_object("
		"'operation_type', '" SYNC_ALERT_OPERATION "',"
		" 'provider_name', c.channel_name,"
		" 'sync_direction', 'push',"
		" 'payload', jsonb_build_object('channel', c.channel_name),"
		" 'unique_key', 'sync_ext alert ' || c.channel_name,"
		" 'scheduled_time', greatest(d.due_at, m.allowed_at)))"
		" FROM @extschema@.sync_alert_channels AS c"
		" JOIN LATERAL (SELECT min(w.due_at) AS due_at, max(w.opened_at) AS opened_at"
		"  FROM @extschema@.sync_alert_deliveries AS w"
		"  WHERE w.channel_name = c.channel_name AND w.delivered_at IS NULL) AS d"
		" ON d.due_at IS NOT NULL"
		" LEFT JOIN LATERAL (SELECT p.delivered_at + c.per AS allowed_at"
		"  FROM (SELECT DISTINCT w.message_id, w.delivered_at"
		"   FROM @extschema@.sync_alert_deliveries AS w"
		"   WHERE w.channel_name = c.channel_name"
		"   AND w.delivered_at > clock_timestamp() - c.per) AS p"
		"  ORDER BY p.delivered_at DESC OFFSET c.max_messages - 1 LIMIT 1) AS m ON true"
		" WHERE c.active AND (c.gave_up_at IS NULL"
		" OR c.gave_up_at < clock_timestamp() - interval " TRY_AGAIN_AFTER
		" OR d.opened_at > c.gave_up_at)",
		NULL,
		false,
		sync_kit_rows_collect,
		rows);
	if (rows->rows[0][0] == NULL)
		return NULL;
	tasks = palloc(sizeof(Datum));
	*tasks = DirectFunctionCall1(jsonb_in, CStringGetDatum(rows->rows[0][0]));
	return tasks;
}

/*
 * Put all that is due for a channel into a message; NULL where nothing is.  It is
 * called by the last of its rows: sent again as it was, it is called the same.
 */
SyncAlertMessage *
sync_alert_collect(const char *channel)
{
	SyncAlertMessage *message;
	SyncRows *rows = sync_kit_rows_create();

	(void) sync_kit_spi_run_own(
		"WITH due AS MATERIALIZED ("
		" SELECT delivery_id FROM @extschema@.sync_alert_deliveries"
		" WHERE channel_name = $1 AND delivered_at IS NULL"
		" AND due_at <= clock_timestamp()), "
		"taken AS (UPDATE @extschema@.sync_alert_deliveries AS d"
		" SET message_id = (SELECT max(delivery_id) FROM due)"
		" WHERE d.delivery_id IN (SELECT delivery_id FROM due) RETURNING d.*), "
		"merged AS (SELECT kind, subject, sum(alerts) AS alerts,"
		" min(first_at) AS first_at, max(last_at) AS last_at,"
		" (array_agg(first_message ORDER BY first_alert_id))[1] AS first_message,"
		" (array_agg(last_message ORDER BY last_alert_id DESC))[1] AS last_message,"
		" min(message_id) AS message_id FROM taken GROUP BY kind, subject) "
		"SELECT kind, subject, alerts, " UTC("first_at") ", " UTC(
			"last_at") ","
					   " left(first_message, " MESSAGE_CHARS
					   "), left(last_message, " MESSAGE_CHARS "),"
					   " message_id, sum(alerts) OVER (), count(*) OVER ()"
					   " FROM merged ORDER BY first_at, kind, subject LIMIT " GROUPS_SHOWN,
		sync_kit_text_params(1, &channel),
		false,
		sync_kit_rows_collect,
		rows);
	if (rows->nrows == 0)
		return NULL;
	message = palloc0(sizeof(SyncAlertMessage));
	message->message_id = strtoi64(rows->rows[0][7], NULL, 10);
	message->alerts = strtoi64(rows->rows[0][8], NULL, 10);
	message->groups = strtoi64(rows->rows[0][9], NULL, 10);
	for (int i = 0; i < rows->nrows; i++)
	{
		SyncAlertGroup *group = palloc(sizeof(SyncAlertGroup));
		char **row = rows->rows[i];

		group->kind = row[0];
		group->subject = row[1];
		group->alerts = strtoi64(row[2], NULL, 10);
		group->first_at = row[3];
		group->last_at = row[4];
		group->first_message = row[5];
		group->last_message = row[6];
		message->shown = lappend(message->shown, group);
	}
	return message;
}

/*
 * A channel has taken a message.  What it says of itself is only noted where
 * nobody is just writing to it.
 */
void
sync_alert_delivered(const char *channel, SyncAlertMessage *message)
{
	const char *values[] = {
		channel,
		psprintf(INT64_FORMAT, message->message_id),
	};

	(void)
		sync_kit_spi_run_own("WITH free AS (SELECT channel_name"
							 " FROM @extschema@.sync_alert_channels"
							 " WHERE channel_name = $1 FOR UPDATE SKIP LOCKED), "
							 "noted AS (UPDATE @extschema@.sync_alert_channels AS c"
							 " SET last_delivered_at = clock_timestamp(), failures = 0,"
							 " last_error = NULL, last_error_at = NULL, gave_up_at = NULL"
							 " FROM free WHERE c.channel_name = free.channel_name) "
							 "UPDATE @extschema@.sync_alert_deliveries"
							 " SET delivered_at = clock_timestamp()"
							 " WHERE message_id = $2::bigint AND delivered_at IS NULL",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
	sync_alert_poke_at_commit();
}
