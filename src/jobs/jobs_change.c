/*-------------------------------------------------------------------------
 *
 * jobs_change.c
 *	  Creating jobs and moving them on.
 *
 * The statements run as the owner of the extension, so that callers need no
 * right on the table; whose jobs they may touch is part of each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "jobs/jobs.h"
#include "kit/kit_spi.h"

/* the jobs that the caller may touch; $1 is "all" and $2 the caller */
#define MAY_TOUCH "($1::boolean OR user_id = $2)"

static uint64 run(const char *sql, int n, const char **values);
static void check_found(uint64 found, const char *id);

/*
 * Create a job for "user" (NULL: the current one).  Returns its id.
 */
char *
sync_jobs_create(const char *platform,
				 const char *username,
				 const char *months,
				 const char *user)
{
	const char *values[] = {
		sync_jobs_user_or_me(user),
		platform,
		username,
		months,
	};
	char *id = NULL;

	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_jobs"
						 " (user_id, platform, username, months_requested) "
						 "VALUES ($1, $2, $3, $4::int) RETURNING id",
						 sync_kit_text_params(lengthof(values), values),
						 false,
						 sync_kit_take_text,
						 &id);
	return id;
}

/*
 * Move a job to a status; one that fails, with the error.
 */
void
sync_jobs_set_status(const char *id, const char *status, const char *error)
{
	const char *values[] = {id, status, error};

	if (error && strcmp(status, "failed") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a job with status \"%s\" cannot have an error", status),
				errhint("Set status \"failed\", or leave out the error."));
	check_found(run("UPDATE @extschema@.sync_jobs SET status = $4,"
					" error = coalesce($5, error) "
					"WHERE id = $3::uuid AND " MAY_TOUCH,
					lengthof(values),
					values),
				id);
}

/*
 * Let a job have come so far; NULL: not known.  It is never set back.
 */
void
sync_jobs_set_progress(const char *id, const char *found, const char *analyzed)
{
	const char *values[] = {id, found, analyzed};

	check_found(run("UPDATE @extschema@.sync_jobs SET"
					" games_found = greatest(games_found, $4::int),"
					" games_analyzed = greatest(games_analyzed, $5::int) "
					"WHERE id = $3::uuid AND " MAY_TOUCH,
					lengthof(values),
					values),
				id);
}

/*
 * Fail the jobs that gave no sign of life for so long and meet an SQL condition,
 * in which they are called j.  One that somebody is
 * changing right now is alive.  Returns how many that were.
 */
uint64
sync_jobs_cleanup(Interval *older_than, const char *condition)
{
	Interval none = {0};
	const char *values[] = {
		DatumGetCString(DirectFunctionCall1(interval_out,
											IntervalPGetDatum(older_than))),
	};

	if (DatumGetBool(DirectFunctionCall2(interval_lt,
										 IntervalPGetDatum(older_than),
										 IntervalPGetDatum(&none))))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("older_than must not be negative: %s", values[0]));
	return run(psprintf("UPDATE @extschema@.sync_jobs AS job SET"
						" status = 'failed', error ="
						" format('stuck: no sign of life in status %%s since %%s',"
						" job.status, date_trunc('second', job.updated_at)) "
						"FROM (SELECT id FROM @extschema@.sync_jobs AS j"
						" WHERE status IN (" SYNC_JOBS_ACTIVE ") AND " MAY_TOUCH
						" AND updated_at < now() - $3::interval AND %s"
						" ORDER BY id FOR UPDATE SKIP LOCKED) AS stuck "
						"WHERE job.id = stuck.id",
						condition),
			   lengthof(values),
			   values);
}

/*
 * Run a statement on the jobs that the caller may touch; its own parameters
 * begin with $3.  Returns how many rows it touched.
 */
static uint64
run(const char *sql, int n, const char **values)
{
	const char **params = palloc((n + 2) * sizeof(char *));

	params[0] = sync_jobs_sees_all() ? "true" : "false";
	params[1] = sync_jobs_user();
	memcpy(&params[2], values, n * sizeof(char *));
	return sync_kit_spi_run_own(sql,
								sync_kit_text_params(n + 2, params),
								false,
								NULL,
								NULL);
}

/*
 * Raise where there was no job to change.
 */
static void
check_found(uint64 found, const char *id)
{
	if (found == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("job \"%s\" of user \"%s\" does not exist",
					   id,
					   sync_jobs_user()));
}
