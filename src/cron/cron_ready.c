/*-------------------------------------------------------------------------
 *
 * cron_ready.c
 *	  Whether pg_cron is there for us, and what to do where it is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "cron/cron.h"
#include "kit/kit_spi.h"

#define CRON_EXTENSION	 "pg_cron"
#define DATABASE_SETTING "cron.database_name"

/* settings that came with the version that also brought something else */
#define SINCE_SECONDS  "cron.timezone"
#define SINCE_LAST_DAY "cron.launch_active_jobs"

static bool may_use_schema(void);
static void take_answer(void *yes, int ncells, char **cells);

/*
 * Raise unless pg_cron runs jobs in this database and the current user may give
 * it some.
 */
void
sync_cron_check_ready(void)
{
	/* a setting of the library, so that it tells whether that is loaded */
	const char *home = GetConfigOption(DATABASE_SETTING, true, false);
	const char *here = get_database_name(MyDatabaseId);
	const char *me = GetUserNameFromId(GetUserId(), false);

	if (home == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("schedules need pg_cron, which is not loaded"),
				errhint("Install it (on Debian, package postgresql-%s-cron), add pg_cron to shared_preload_libraries, set cron.database_name = '%s', restart the server, and run CREATE EXTENSION pg_cron.",
						PG_MAJORVERSION,
						here));
	if (strcmp(home, here) != 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("pg_cron takes schedules in database \"%s\" only, and this is \"%s\"",
					   home,
					   here),
				errhint("Set cron.database_name = '%s' and restart the server. Or, in \"%s\", let it run a command here: SELECT cron.schedule_in_database('NAME', 'SCHEDULE', 'COMMAND', '%s').",
						here,
						home,
						here));
	if (!OidIsValid(get_extension_oid(CRON_EXTENSION, true)))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("extension \"%s\" does not exist in this database",
					   CRON_EXTENSION),
				errhint("Run CREATE EXTENSION %s.", CRON_EXTENSION));
	if (!may_use_schema())
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for pg_cron"),
				errdetail("Role \"%s\" may not use its schema.", me),
				errhint("Have a superuser run: GRANT USAGE ON SCHEMA cron TO %s.",
						quote_identifier(me)));
}

/*
 * Raise where the pg_cron that is loaded is too old for a schedule.
 */
void
sync_cron_check_times(const char *schedule, const SyncCronTimes *times)
{
	const char *lacks = NULL;
	const char *since = NULL;

	if (times->every_s > 0 && !GetConfigOption(SINCE_SECONDS, true, false))
	{
		lacks = "schedules in seconds";
		since = "1.5";
	}
	if (times->last_day && !GetConfigOption(SINCE_LAST_DAY, true, false))
	{
		lacks = "\"$\" for the last day of the month";
		since = "1.6";
	}
	if (lacks)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("schedule \"%s\" needs a newer pg_cron", schedule),
				errdetail("The one that is loaded has no %s; version %s has.",
						  lacks,
						  since));
}

/*
 * Whether the current user may use what pg_cron has.
 */
static bool
may_use_schema(void)
{
	bool yes = false;

	sync_kit_spi_run("SELECT pg_catalog.has_schema_privilege('cron', 'USAGE')",
					 NULL,
					 true,
					 take_answer,
					 &yes);
	return yes;
}

/*
 * Take a yes or no; a SyncRowSink.
 */
static void
take_answer(void *yes, int ncells, char **cells)
{
	*(bool *) yes = cells[0] && cells[0][0] == 't';
}
