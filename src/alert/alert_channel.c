/*-------------------------------------------------------------------------
 *
 * alert_channel.c
 *	  sync_alert_channels: who is told of alerts, with what is secret sealed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "alert/alert.h"
#include "kit/kit_cipher.h"
#include "kit/kit_hex.h"
#include "kit/kit_spi.h"

static char *to_hex(const bytea *bytes);
static char *purpose(const char *channel);

/*
 * Store a channel; it replaces one of its name.  "events" are texts, NIL: all.
 */
void
sync_alert_set_channel(SyncAlertChannel *channel,
					   List *events,
					   const char *group_window,
					   int max_messages,
					   const char *per)
{
	ParamListInfo params;
	Datum *names = palloc(Max(list_length(events), 1) * sizeof(Datum));
	char *key_id = NULL;
	bytea *sealed = NULL;
	const char *values[9];
	ListCell *cell;

	if (channel->secrets)
		sealed = sync_kit_seal(sync_kit_json_text(channel->secrets),
							   purpose(channel->name),
							   &key_id);
	foreach(cell, events)
		names[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	values[0] = channel->name;
	values[1] = channel->kind;
	values[2] = sync_kit_json_text(channel->config);
	values[3] = group_window;
	values[4] = psprintf("%d", max_messages);
	values[5] = per;
	values[6] = key_id;
	values[7] = sealed ? to_hex(sealed) : NULL;
	values[8] = NULL;
	params = sync_kit_text_params(lengthof(values), values);
	sync_kit_set_texts(&params->params[8], list_length(events), names, NULL);
	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_alert_channels"
						 " (channel_name, kind, config, group_window,"
						 " max_messages, per, key_id, sealed, events)"
						 " VALUES ($1, $2, $3::jsonb, $4::interval, $5::integer,"
						 " $6::interval, $7, decode($8, 'hex'), nullif($9, '{}'))"
						 " ON CONFLICT (channel_name) DO UPDATE"
						 " SET kind = excluded.kind, config = excluded.config,"
						 " events = excluded.events, active = true,"
						 " group_window = excluded.group_window,"
						 " max_messages = excluded.max_messages,"
						 " per = excluded.per, key_id = excluded.key_id,"
						 " sealed = excluded.sealed, failures = 0,"
						 " last_error = NULL, last_error_at = NULL,"
						 " gave_up_at = NULL",
						 params,
						 false,
						 NULL,
						 NULL);
	/* what it was not told for the old definition's fault, it can be now */
	sync_alert_poke_at_commit();
}

/*
 * Remove a channel, and what it was not told yet.
 */
void
sync_alert_drop_channel(const char *name)
{
	if (sync_kit_spi_run_own("WITH gone AS (DELETE FROM @extschema@.sync_alert_deliveries"
							 " WHERE channel_name = $1 AND delivered_at IS NULL)"
							 " DELETE FROM @extschema@.sync_alert_channels"
							 " WHERE channel_name = $1",
							 sync_kit_text_params(1, &name),
							 false,
							 NULL,
							 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("alert channel \"%s\" does not exist", name));
}

/*
 * Load a channel, and open what is secret of it.  Where there is none, raises or
 * returns NULL.
 */
SyncAlertChannel *
sync_alert_load_channel(const char *name, bool missing_ok)
{
	SyncAlertChannel *channel = palloc0(sizeof(SyncAlertChannel));
	SyncRows *rows =
		sync_kit_spi_rows_own("SELECT kind, config, key_id, encode(sealed, 'hex')"
							  " FROM @extschema@.sync_alert_channels"
							  " WHERE channel_name = $1",
							  sync_kit_text_params(1, &name));
	char **row;

	if (rows->nrows == 0 && missing_ok)
		return NULL;
	if (rows->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("alert channel \"%s\" does not exist", name),
				errhint("Make one with sync_set_alert_channel."));
	row = rows->rows[0];
	channel->name = name;
	channel->kind = row[0];
	channel->config = sync_kit_json_value(sync_kit_json_parse(row[1]));
	if (row[3])
		channel->secrets =
			sync_kit_json_value(sync_kit_json_parse(sync_kit_unseal(
				sync_kit_hex_read(row[3]),
				purpose(name),
				row[2],
				psprintf("the secret of alert channel \"%s\"", name),
				"sync_set_alert_channel")));
	return channel;
}

/*
 * A channel could not be told.  "gave_up": it is not tried again by itself.  That
 * is not noted where somebody is just writing to it.
 */
void
sync_alert_note_failure(const char *channel, const char *error, bool gave_up)
{
	const char *values[] = {channel, error, gave_up ? "true" : "false"};

	(void)
		sync_kit_spi_run_own("UPDATE @extschema@.sync_alert_channels AS c"
							 " SET failures = c.failures + 1, last_error = $2,"
							 " last_error_at = clock_timestamp(),"
							 " gave_up_at = CASE WHEN $3::boolean"
							 " THEN clock_timestamp() ELSE c.gave_up_at END"
							 " FROM (SELECT channel_name"
							 " FROM @extschema@.sync_alert_channels"
							 " WHERE channel_name = $1 FOR UPDATE SKIP LOCKED) AS free"
							 " WHERE c.channel_name = free.channel_name",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Bytes as hexadecimal digits.
 */
static char *
to_hex(const bytea *bytes)
{
	return TextDatumGetCString(DirectFunctionCall2(binary_encode,
												   PointerGetDatum(bytes),
												   CStringGetTextDatum("hex")));
}

/*
 * What the secrets of a channel are for, which their seal covers.
 */
static char *
purpose(const char *channel)
{
	return psprintf("alert channel/%s", channel);
}
