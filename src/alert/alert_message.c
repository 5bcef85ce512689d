/*-------------------------------------------------------------------------
 *
 * alert_message.c
 *	  A message as text, as JSON and as Slack has it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "kit/kit_json.h"
#include "kit/kit_settings.h"

static void add_groups(StringInfo text,
					   SyncAlertMessage *message,
					   const char *mark);
static void add_rest(StringInfo text, SyncAlertMessage *message);
static char *now_in_utc(void);

/*
 * A message that says that it is a test.
 */
SyncAlertMessage *
sync_alert_test_message(const char *channel)
{
	SyncAlertMessage *message = palloc0(sizeof(SyncAlertMessage));
	SyncAlertGroup *group = palloc0(sizeof(SyncAlertGroup));

	group->kind = "test";
	group->subject = channel;
	group->alerts = 1;
	group->first_at = group->last_at = now_in_utc();
	group->first_message = group->last_message =
		"This is a test; nothing has happened.";
	message->alerts = message->groups = 1;
	message->shown = list_make1(group);
	return message;
}

/*
 * A message in a line.
 */
char *
sync_alert_title(SyncAlertMessage *message)
{
	SyncAlertGroup *first = linitial(message->shown);
	StringInfoData title;

	initStringInfo(&title);
	appendStringInfo(&title,
					 "[%s] %s: %s",
					 sync_guc_environment,
					 first->kind,
					 first->subject);
	if (first->alerts > 1)
		appendStringInfo(&title, " (" INT64_FORMAT " times)", first->alerts);
	if (message->groups > 1)
		appendStringInfo(&title,
						 ", and " INT64_FORMAT " more",
						 message->groups - 1);
	return title.data;
}

/*
 * A message as text.
 */
char *
sync_alert_text(SyncAlertMessage *message)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text,
					 "Database \"%s\", environment \"%s\".\n\n",
					 get_database_name(MyDatabaseId),
					 sync_guc_environment);
	add_groups(&text, message, "");
	return text.data;
}

/*
 * A message as an incoming webhook of Slack takes it.
 */
char *
sync_alert_slack(SyncAlertMessage *message)
{
	StringInfoData text;
	StringInfoData escaped;
	StringInfoData json;

	initStringInfo(&text);
	appendStringInfo(&text,
					 "*%s*, database %s\n",
					 sync_guc_environment,
					 get_database_name(MyDatabaseId));
	add_groups(&text, message, "*");
	initStringInfo(&escaped);
	for (const char *c = text.data; *c; c++)
	{
		if (*c == '&')
			appendStringInfoString(&escaped, "&amp;");
		else if (*c == '<')
			appendStringInfoString(&escaped, "&lt;");
		else if (*c == '>')
			appendStringInfoString(&escaped, "&gt;");
		else
			appendStringInfoChar(&escaped, *c);
	}
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"text\": ");
	escape_json(&json, escaped.data);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * A message as JSON.
 */
char *
sync_alert_json(SyncAlertMessage *message)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"message_id\": " INT64_FORMAT
					 ", \"alerts\": " INT64_FORMAT
					 ", \"groups\": " INT64_FORMAT,
					 message->message_id,
					 message->alerts,
					 message->groups);
	sync_kit_json_append(&json, "database", get_database_name(MyDatabaseId));
	sync_kit_json_append(&json, "environment", sync_guc_environment);
	sync_kit_json_append(&json, "sent_at", now_in_utc());
	appendStringInfoString(&json, ", \"shown\": [");
	foreach(cell, message->shown)
	{
		SyncAlertGroup *group = lfirst(cell);

		appendStringInfo(&json,
						 "%s{\"alerts\": " INT64_FORMAT,
						 foreach_current_index(cell) ? ", " : "",
						 group->alerts);
		sync_kit_json_append(&json, "event", group->kind);
		sync_kit_json_append(&json, "subject", group->subject);
		sync_kit_json_append(&json, "first_at", group->first_at);
		sync_kit_json_append(&json, "last_at", group->last_at);
		sync_kit_json_append(&json, "first_message", group->first_message);
		sync_kit_json_append(&json, "last_message", group->last_message);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, "]}");
	return json.data;
}

/*
 * Write the groups, with their kind between two marks.
 */
static void
add_groups(StringInfo text, SyncAlertMessage *message, const char *mark)
{
	ListCell *cell;

	foreach(cell, message->shown)
	{
		SyncAlertGroup *group = lfirst(cell);

		appendStringInfo(text,
						 "%s%s%s: %s",
						 mark,
						 group->kind,
						 mark,
						 group->subject);
		if (group->alerts == 1)
		{
			appendStringInfo(text,
							 ", %s\n  %s\n",
							 group->first_at,
							 group->first_message);
			continue;
		}
		appendStringInfo(text,
						 ", " INT64_FORMAT " times, from %s to %s\n"
						 "  first: %s\n",
						 group->alerts,
						 group->first_at,
						 group->last_at,
						 group->first_message);
		if (strcmp(group->first_message, group->last_message) != 0)
			appendStringInfo(text, "  last: %s\n", group->last_message);
	}
	add_rest(text, message);
}

/*
 * Write how many there are beyond those that are shown.
 */
static void
add_rest(StringInfo text, SyncAlertMessage *message)
{
	int64 groups = message->groups - list_length(message->shown);
	int64 alerts = message->alerts;
	ListCell *cell;

	if (groups == 0)
		return;
	foreach(cell, message->shown)
		alerts -= ((SyncAlertGroup *) lfirst(cell))->alerts;
	appendStringInfo(text,
					 "And " INT64_FORMAT " more subjects, with " INT64_FORMAT
					 " alerts: see sync_alerts.\n",
					 groups,
					 alerts);
}

/*
 * The time now, in UTC.
 */
static char *
now_in_utc(void)
{
	pg_time_t now = timestamptz_to_time_t(GetCurrentTimestamp());
	char text[32];

	pg_strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", pg_gmtime(&now));
	return pstrdup(text);
}
