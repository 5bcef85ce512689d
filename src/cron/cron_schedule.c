/*-------------------------------------------------------------------------
 *
 * cron_schedule.c
 *	  Schedules as jobs of pg_cron.
 *
 * A schedule is a job whose name has our prefix.  Everything here is done as
 * the caller, whose schedules they are: pg_cron sees to it that nobody sees or
 * changes those of others, and runs each as its owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "cron/cron.h"
#include "kit/kit_spi.h"

#define NAME_PREFIX "sync_ext "

/* our jobs of this database, as far as the caller may see them */
#define OURS                                                                \
	"FROM cron.job AS j WHERE j.database OPERATOR(pg_catalog.=)"            \
	" pg_catalog.current_database()"                                        \
	" AND pg_catalog.starts_with(j.jobname::pg_catalog.text, '" NAME_PREFIX \
	"')"

/* that of the caller by the name of $1 */
#define MINE                                                      \
	OURS " AND j.jobname::pg_catalog.text OPERATOR(pg_catalog.=)" \
		 " pg_catalog.concat('" NAME_PREFIX "', $1)"              \
		 " AND j.username OPERATOR(pg_catalog.=) current_user"

static void check_name(const char *name);

/*
 * Have a command run by a schedule, as the current user.  It takes the place
 * of the one by that name.
 */
void
sync_cron_schedule(const char *name, const char *schedule, const char *command)
{
	const char *values[] = {
		psprintf(NAME_PREFIX "%s", name),
		schedule,
		command,
	};
	SyncCronTimes times;

	check_name(name);
	sync_cron_parse(schedule, &times);
	sync_cron_check_ready();
	sync_cron_check_times(schedule, &times);
	(void) sync_kit_spi_run("SELECT cron.schedule($1, $2, $3)",
							sync_kit_text_params(lengthof(values), values),
							false,
							NULL,
							NULL);
}

/*
 * Forget a schedule of the current user.
 */
void
sync_cron_unschedule(const char *name)
{
	sync_cron_check_ready();
	if (sync_kit_spi_run("SELECT cron.unschedule(j.jobid) " MINE,
						 sync_kit_text_params(1, &name),
						 false,
						 NULL,
						 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("schedule \"%s\" of role \"%s\" does not exist",
					   name,
					   GetUserNameFromId(GetUserId(), false)),
				errhint("Look at sync_schedules for those that you may see."));
}

/*
 * Whether the current user has a schedule of that name.
 */
bool
sync_cron_is_scheduled(const char *name)
{
	return sync_kit_spi_run("SELECT " MINE,
							sync_kit_text_params(1, &name),
							false,
							NULL,
							NULL) > 0;
}

/*
 * The schedules that the current user may see, in the columns of
 * SyncScheduleColumn.
 */
SyncRows *
sync_cron_schedules(void)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_cron_check_ready();
	sync_kit_spi_run("SELECT pg_catalog.substr(s.jobname, pg_catalog.length('" NAME_PREFIX
					 "') OPERATOR(pg_catalog.+) 1), s.schedule, s.command, s.username,"
					 " s.active, r.start_time, r.status, r.return_message "
					 "FROM (SELECT j.jobid, j.jobname::pg_catalog.text, j.schedule,"
					 " j.command, j.username, j.active " OURS ") AS s "
					 "LEFT JOIN LATERAL (SELECT d.start_time, d.status, d.return_message"
					 " FROM cron.job_run_details AS d"
					 " WHERE d.jobid OPERATOR(pg_catalog.=) s.jobid"
					 " ORDER BY d.runid DESC LIMIT 1) AS r ON true "
					 "ORDER BY s.jobname, s.username",
					 NULL,
					 true,
					 sync_kit_rows_collect,
					 rows);
	return rows;
}

/*
 * Raise unless pg_cron can keep that name, which has as much room as one of
 * the server.
 */
static void
check_name(const char *name)
{
	int limit = NAMEDATALEN - 1 - (int) strlen(NAME_PREFIX);

	if (name[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a schedule must have a name"));
	if (strlen(name) > limit)
		ereport(ERROR,
				errcode(ERRCODE_NAME_TOO_LONG),
				errmsg("name of a schedule is too long: \"%s\"", name),
				errdetail("It has %d bytes, and there is room for %d.",
						  (int) strlen(name),
						  limit));
}
