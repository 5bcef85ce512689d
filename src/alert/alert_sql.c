/*-------------------------------------------------------------------------
 *
 * alert_sql.c
 *	  The SQL face of alerts: arguments in, results out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "pgstat.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "kit/kit_arguments.h"
#include "kit/kit_cipher.h"

PG_FUNCTION_INFO_V1(sync_sql_acknowledge_alerts);
PG_FUNCTION_INFO_V1(sync_sql_drop_alert_channel);
PG_FUNCTION_INFO_V1(sync_sql_set_alert_channel);
PG_FUNCTION_INFO_V1(sync_sql_test_alert);

static const char *needed_text(FunctionCallInfo fcinfo, int i, const char *name);
static const char *needed_interval(FunctionCallInfo fcinfo,
								   int i,
								   const char *name,
								   bool zero_ok);

/*
 * sync_set_alert_channel(name text, kind text, config jsonb, events text[],
 *		group_window interval, max_messages integer, per interval) RETURNS void
 *
 * The statement has secrets in it: it is taken out of pg_stat_activity, and kept
 * out of the log where it fails.
 */
Datum
sync_sql_set_alert_channel(PG_FUNCTION_ARGS)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = sync_kit_hide_statement,
	};
	SyncAlertChannel channel = {0};
	List *events;
	const char *window;
	const char *per;
	ListCell *cell;

	error_context_stack = &frame;
	pgstat_report_activity(STATE_RUNNING, "SELECT sync_set_alert_channel(...)");
	channel.name = needed_text(fcinfo, 0, "name");
	channel.kind = needed_text(fcinfo, 1, "kind");
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("config must not be NULL"));
	events = sync_kit_texts_argument(fcinfo, 3, "events");
	foreach(cell, events)
		sync_alert_check_event(lfirst(cell));
	if (!PG_ARGISNULL(3) && events == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("events must not be empty"),
				errhint("NULL stands for all."));
	window = needed_interval(fcinfo, 4, "group_window", true);
	if (PG_ARGISNULL(5) || PG_GETARG_INT32(5) < 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_messages must be greater than zero"));
	per = needed_interval(fcinfo, 6, "per", false);
	sync_alert_check_config(&channel,
							sync_kit_json_value(PG_GETARG_JSONB_P(2)));
	sync_alert_set_channel(&channel, events, window, PG_GETARG_INT32(5), per);
	error_context_stack = frame.previous;
	PG_RETURN_VOID();
}

/*
 * sync_drop_alert_channel(name text) RETURNS void
 */
Datum
sync_sql_drop_alert_channel(PG_FUNCTION_ARGS)
{
	sync_alert_drop_channel(needed_text(fcinfo, 0, "name"));
	PG_RETURN_VOID();
}

/*
 * sync_test_alert(channel text) RETURNS text
 */
Datum
sync_sql_test_alert(PG_FUNCTION_ARGS)
{
	SyncAlertChannel *channel =
		sync_alert_load_channel(needed_text(fcinfo, 0, "channel"), false);
	SyncHttpRequest *request =
		sync_alert_compose(channel, sync_alert_test_message(channel->name));
	SyncHttpTransfer *transfer = sync_http_start(request);

	while (!sync_http_is_readable(transfer))
		sync_http_wait(-1);
	sync_alert_check_answer(channel, request, transfer);
	sync_http_end(transfer);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("alert channel \"%s\" took the message",
											  channel->name)));
}

/*
 * sync_acknowledge_alerts(kind text, subject text, up_to bigint) RETURNS bigint
 */
Datum
sync_sql_acknowledge_alerts(PG_FUNCTION_ARGS)
{
	int64 up_to = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2);

	PG_RETURN_INT64(sync_alert_acknowledge(sync_kit_text_argument(fcinfo, 0),
										   sync_kit_text_argument(fcinfo, 1),
										   PG_ARGISNULL(2) ? NULL : &up_to));
}

/*
 * A text argument that there must be.
 */
static const char *
needed_text(FunctionCallInfo fcinfo, int i, const char *name)
{
	const char *text = sync_kit_text_argument(fcinfo, i);

	if (text == NULL || text[0] == '\0')
		ereport(ERROR,
				errcode(text ? ERRCODE_INVALID_PARAMETER_VALUE
							 : ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not be NULL or empty", name));
	return text;
}

/*
 * An interval argument that there must be, and be a span of time, as text.
 */
static const char *
needed_interval(FunctionCallInfo fcinfo, int i, const char *name, bool zero_ok)
{
	Interval zero = {0};
	int sign;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("%s must not be NULL", name));
	sign = DatumGetInt32(DirectFunctionCall2(interval_cmp,
											 PG_GETARG_DATUM(i),
											 IntervalPGetDatum(&zero)));
	if (sign < 0 || (sign == 0 && !zero_ok))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				zero_ok ? errmsg("%s must not be negative", name)
						: errmsg("%s must be greater than zero", name));
	return DatumGetCString(DirectFunctionCall1(interval_out,
											   PG_GETARG_DATUM(i)));
}
