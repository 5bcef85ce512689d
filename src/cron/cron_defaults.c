/*-------------------------------------------------------------------------
 *
 * cron_defaults.c
 *	  The schedules that a site begins with.
 *
 * Each is a call of a function of the extension.  What may take long or fail is
 * put into the queue, under a key, so that a firing while the last one's task
 * is still there adds none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cron/cron.h"
#include "kit/kit_ident.h"

/* A schedule to begin with */
typedef struct DefaultSchedule
{
	const char *name;
	const char *schedule;
	const char *operation_type; /* of the task to put into the queue, or */
	const char *command;		/* NULL and what else to do */
} DefaultSchedule;

static const DefaultSchedule defaults[] = {
	{"event discovery", "0 2 * * *", "event_discovery", NULL},
	{"participants", "0 */4 * * *", "participants", NULL},
	{"results", "*/30 * * * *", "results", NULL},
	{"athletes", "0 2 * * *", "athletes", NULL},
	{
		"stuck clean-up",
		"*/15 * * * *",
		NULL,
		"SELECT @extschema@.sync_cleanup_stuck_jobs()",
	},
	{
		"history retention",
		"30 3 * * *",
		NULL,
		"SELECT @extschema@.sync_purge_history(exact => false)",
	},
};

/*
 * Add the schedules that the current user does not have yet.  Returns their
 * names.
 */
List *
sync_cron_schedule_defaults(void)
{
	List *added = NIL;

	sync_cron_check_ready();
	for (int i = 0; i < lengthof(defaults); i++)
	{
		const DefaultSchedule *entry = &defaults[i];
		SyncScheduledTask task = {.operation_type = entry->operation_type};

		if (sync_cron_is_scheduled(entry->name))
			continue;
		sync_cron_schedule(entry->name,
						   entry->schedule,
						   entry->command
							   ? sync_kit_bind_schema(entry->command)
							   : sync_cron_compose(entry->name, &task));
		added = lappend(added, unconstify(char *, entry->name));
	}
	return added;
}
