/*-------------------------------------------------------------------------
 *
 * notify_sweep.c
 *	  What is found, once a minute, to be worth an alert; and tasks for those
 *	  that are to be told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "flow/flow_fresh.h"
#include "history/history.h"
#include "kit/kit_attempt.h"
#include "kit/kit_ident.h"
#include "kit/kit_override.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "notify/notify.h"
#include "perform/perform.h"
#include "provider/provider_pause.h"
#include "queue/queue_report.h"

/* whoever sweeps performs tasks, and is not to wait for others' locks long */
#define LOCK_TIMEOUT "1s"

static void sweep(void);
static void look(void *unused);
static List *add(List *conditions,
				 const char *kind,
				 const char *subject,
				 const char *message);
static List *find_stale_streams(List *conditions);
static List *find_pauses(List *conditions);
static List *find_backlog(List *conditions);
static void note_attempts(List *attempts);

/*
 * Have alerts looked for and told.  Called once from _PG_init.
 */
void
sync_notify_init(void)
{
	sync_queue_add_driver(&sync_notify_driver);
	sync_perform_on_sweep(sweep);
	sync_history_on_attempts(note_attempts);
}

/*
 * Look for alerts, and for channels that are to be told; a SyncSweepHook.  What
 * goes wrong is no reason for tasks not to be performed.
 */
static void
sweep(void)
{
	ErrorData *error = sync_kit_attempt(look, NULL);

	if (error)
		ereport(WARNING,
				errcode(error->sqlerrcode),
				errmsg("could not look for alerts: %s", error->message));
}

/*
 * Do so, unless another process is at it.
 */
static void
look(void *unused)
{
	int settings = NewGUCNestLevel();
	List *conditions = NIL;
	SyncOwnerScope scope;
	Datum *tasks;

	if (!sync_alert_enter_groups())
	{
		AtEOXact_GUC(false, settings);
		return;
	}
	sync_kit_override("lock_timeout", LOCK_TIMEOUT);
	conditions = find_stale_streams(conditions);
	conditions = find_pauses(conditions);
	conditions = find_backlog(conditions);
	sync_alert_hold(conditions);

	sync_alert_group();
	tasks = sync_alert_tasks();
	if (tasks)
	{
		/* they run as the owner of the extension */
		sync_kit_owner_enter(&scope);
		(void) sync_queue_enqueue_many(*tasks);
		sync_kit_owner_leave(&scope);
	}
	AtEOXact_GUC(false, settings);
}

/*
 * Add a condition.
 */
static List *
add(List *conditions, const char *kind, const char *subject, const char *message)
{
	SyncCondition *condition = palloc(sizeof(SyncCondition));

	condition->kind = kind;
	condition->subject = subject;
	condition->message = message;
	return lappend(conditions, condition);
}

/*
 * Add a condition for each stream that is older than it may get.
 */
static List *
find_stale_streams(List *conditions)
{
	SyncRows *rows = sync_flow_stale_streams();

	for (int i = 0; i < rows->nrows; i++)
		conditions = add(conditions,
						 SYNC_ALERT_FRESH,
						 rows->rows[i][0],
						 rows->rows[i][1]);
	return conditions;
}

/*
 * Add a condition for each provider that has long been left alone, be it that
 * it wants to be or that somebody paused it.
 */
static List *
find_pauses(List *conditions)
{
	int64 longer_ms = sync_guc_alert_pause_s * INT64CONST(1000);
	SyncRows *rows;
	ListCell *cell;

	if (longer_ms == 0)
		return conditions;
	foreach(cell, sync_provider_pauses(longer_ms))
	{
		SyncProviderPause *pause = lfirst(cell);
		const char *who =
			pause->has_tenant
				? psprintf(" with the credential of timing partner " INT64_FORMAT,
						   pause->tenant)
				: "";

		conditions =
			add(conditions,
				SYNC_ALERT_PAUSED,
				pause->has_tenant ? psprintf("%s " INT64_FORMAT,
											 pause->provider,
											 pause->tenant)
								  : pause->provider,
				psprintf("provider \"%s\" wants to be left alone until %s%s",
						 pause->provider,
						 pstrdup(timestamptz_to_str(pause->until)),
						 who));
	}
	rows = sync_queue_long_pauses(longer_ms);
	for (int i = 0; i < rows->nrows; i++)
		conditions =
			add(conditions,
				SYNC_ALERT_PAUSED,
				rows->rows[i][0],
				psprintf("tasks of %s are held back since %s, by \"%s\"",
						 rows->rows[i][0],
						 rows->rows[i][1],
						 rows->rows[i][2]));
	return conditions;
}

/*
 * Add a condition where tasks have been due for long.
 */
static List *
find_backlog(List *conditions)
{
	char *since;

	if (sync_guc_alert_backlog_s == 0)
		return conditions;
	since = sync_queue_due_since(sync_guc_alert_backlog_s * INT64CONST(1000),
								 SYNC_ALERT_OPERATION);
	if (since == NULL)
		return conditions;
	return add(conditions,
			   SYNC_ALERT_BACKLOG,
			   "queue",
			   psprintf("tasks wait that are due since %s", since));
}

/*
 * Note what became of attempts to tell channels, where they failed; a
 * SyncAttemptsHook.  Those that somebody else put into the queue say nothing of a
 * channel.
 */
static void
note_attempts(List *attempts)
{
	const char *owner = NULL;
	ListCell *cell;

	foreach(cell, attempts)
	{
		SyncAttempt *attempt = lfirst(cell);

		if (attempt->error == NULL || attempt->subject == NULL ||
			strcmp(attempt->operation, SYNC_ALERT_OPERATION) != 0)
			continue;
		if (owner == NULL)
			owner = GetUserNameFromId(sync_kit_extension_owner(), false);
		if (strcmp(attempt->run_by, owner) != 0)
			continue;
		sync_alert_note_failure(attempt->subject,
								attempt->error->message,
								strcmp(attempt->status, "failed_permanent") ==
									0);
	}
}
