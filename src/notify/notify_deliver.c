/*-------------------------------------------------------------------------
 *
 * notify_deliver.c
 *	  The driver of tasks that tell a channel of alerts.
 *
 * What is due is taken when the task is begun, so that a second attempt tells of
 * what came meanwhile as well.  The channel may be told twice, where its answer is
 * lost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "alert/alert.h"
#include "notify/notify.h"

/* A task under way; lies in the memory context of the task */
typedef struct Delivery
{
	SyncAlertChannel *channel;
	SyncAlertMessage *message; /* NULL: there is nothing to tell */
	SyncHttpRequest *request;
	SyncHttpTransfer *transfer;
} Delivery;

static void *begin(SyncTask *task);
static SyncDriveStep step(void *state, int64 *wait_ms);
static Datum *finish(void *state);
static void end(void *state);

const SyncDriver sync_notify_driver = {
	.handler = "sync_sql_deliver_alerts",
	.begin = begin,
	.step = step,
	.finish = finish,
	.close = end,
};

/*
 * Take what is due for the channel that the payload names, and send it.  A channel
 * that is gone has nothing to be told.
 */
static void *
begin(SyncTask *task)
{
	Delivery *delivery = palloc0(sizeof(Delivery));
	char *name =
		sync_kit_json_string(sync_kit_json_value(DatumGetJsonbPCopy(task->payload)),
							 "channel");

	if (name == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("payload of a task of type \"%s\" must have a channel",
					   SYNC_ALERT_OPERATION));
	delivery->channel = sync_alert_load_channel(name, true);
	if (delivery->channel == NULL)
		return delivery;
	/* what was raised since the last sweep goes along */
	if (sync_alert_enter_groups())
		sync_alert_group();
	delivery->message = sync_alert_collect(name);
	if (delivery->message == NULL)
		return delivery;
	delivery->request =
		sync_alert_compose(delivery->channel, delivery->message);
	delivery->transfer = sync_http_start(delivery->request);
	return delivery;
}

/*
 * Wait for the answer.
 */
static SyncDriveStep
step(void *state, int64 *wait_ms)
{
	Delivery *delivery = state;

	if (delivery->transfer && !sync_http_is_readable(delivery->transfer))
		return SYNC_DRIVE_WAIT;
	return SYNC_DRIVE_DONE;
}

/*
 * Note that the channel was told, unless it did not take it.
 */
static Datum *
finish(void *state)
{
	Delivery *delivery = state;
	Datum *details = palloc(sizeof(Datum));
	StringInfoData json;

	if (delivery->transfer == NULL)
		return NULL;
	sync_alert_check_answer(delivery->channel,
							delivery->request,
							delivery->transfer);
	sync_alert_delivered(delivery->channel->name, delivery->message);

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"channel\": ");
	escape_json(&json, delivery->channel->name);
	appendStringInfo(&json,
					 ", \"message_id\": " INT64_FORMAT
					 ", \"alerts\": " INT64_FORMAT ", \"groups\": " INT64_FORMAT
					 "}",
					 delivery->message->message_id,
					 delivery->message->alerts,
					 delivery->message->groups);
	*details = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	return details;
}

/*
 * Let go of the transfer.
 */
static void
end(void *state)
{
	Delivery *delivery = state;

	if (delivery->transfer)
		sync_http_end(delivery->transfer);
	delivery->transfer = NULL;
}
