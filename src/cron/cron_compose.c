/*-------------------------------------------------------------------------
 *
 * cron_compose.c
 *	  The command of a schedule that puts a task into the queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "cron/cron.h"
#include "kit/kit_ident.h"

static void append_argument(StringInfo call,
							const char *name,
							const char *value);

/*
 * The call of sync_enqueue that a schedule makes, in the current memory
 * context.  The key keeps tasks from piling up: where the last one still waits
 * or is at work, none is added.
 */
char *
sync_cron_compose(const char *schedule, const SyncScheduledTask *task)
{
	const char *key = psprintf("schedule \"%s\" of %s",
							   schedule,
							   GetUserNameFromId(GetUserId(), false));
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfo(&call,
					 "%s(%s",
					 sync_kit_bind_schema("SELECT @extschema@.sync_enqueue"),
					 quote_literal_cstr(task->operation_type));
	append_argument(&call, "payload", task->payload);
	append_argument(&call, "timing_partner_id", task->timing_partner_id);
	append_argument(&call, "event_id", task->event_id);
	append_argument(&call, "provider_name", task->provider_name);
	append_argument(&call, "sync_direction", task->sync_direction);
	append_argument(&call, "priority", task->priority);
	append_argument(&call, "unique_key", key);
	appendStringInfoChar(&call, ')');
	return call.data;
}

/*
 * Append a named argument, unless it is NULL.
 */
static void
append_argument(StringInfo call, const char *name, const char *value)
{
	if (value)
		appendStringInfo(call, ", %s => %s", name, quote_literal_cstr(value));
}
