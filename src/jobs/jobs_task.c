/*-------------------------------------------------------------------------
 *
 * jobs_task.c
 *	  Jobs and the tasks that they consist of.
 *
 * A job begins to be fetched with its first task, is completed with its last
 * one, and fails with one that fails for good.  Its row is locked before it is
 * asked whether other tasks are left, so that of two that end at the same time
 * the second one sees that it is the last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "jobs/jobs.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"

/* What is known of a job */
typedef struct KnownJob
{
	char *status; /* NULL: there is none */
	char *user;
} KnownJob;

static ParamListInfo with_id(Datum id, const char *text);
static void take_job(void *arg, int ncells, char **cells);
static void look_up(Datum id, KnownJob *job);
static KnownJob lock_job(Datum id);
static bool has_ended(const KnownJob *job);
static void move(Datum id, const char *status, const char *error);

/*
 * Raise unless a role, or the user that it acts for now, may have tasks that
 * are part of a job.
 */
void
sync_jobs_check_task(Datum id, Oid role)
{
	const char *user = sync_jobs_user_of(role);
	KnownJob job = {0};

	if (sync_jobs_role_sees_all(role))
		return;
	look_up(id, &job);
	if (job.status == NULL || strcmp(job.user, user) != 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("job \"%s\" of user \"%s\" does not exist",
					   DatumGetCString(DirectFunctionCall1(uuid_out, id)),
					   user));
}

/*
 * The first task of a job begins.
 */
void
sync_jobs_start(Datum id)
{
	(void) sync_kit_spi_run_own("UPDATE @extschema@.sync_jobs SET"
								" status = 'fetching'"
								" WHERE id = $1 AND status = 'pending'",
								with_id(id, NULL),
								false,
								NULL,
								NULL);
}

/*
 * A task of a job begins.  Returns whose job it is, in the current memory
 * context, or NULL where there is no such job.  Raises where it has ended, and
 * sets "ended" then.
 */
const char *
sync_jobs_begin_task(Datum id, bool *ended)
{
	KnownJob job = {0};

	sync_jobs_start(id);
	look_up(id, &job);
	if (job.status && has_ended(&job))
	{
		*ended = true;
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the job of the task has ended already"),
				errdetail("It is %s.", job.status));
	}
	return job.user;
}

/*
 * A task of a job has failed for good, or was given up.
 */
void
sync_jobs_fail(Datum id, const char *error)
{
	KnownJob job = lock_job(id);

	if (job.status && !has_ended(&job))
		move(id, "failed", error);
}

/*
 * A task of a job is done.  The job is completed where "is_last" finds no other.
 */
void
sync_jobs_end_task(Datum id, bool (*is_last)(Datum id))
{
	static const char *const way[] = {
		"pending",
		"fetching",
		"analyzing",
		"completed",
	};
	KnownJob job = lock_job(id);

	if (job.status == NULL || !is_last(id))
		return;
	for (int i = 0; i + 1 < lengthof(way); i++)
		if (strcmp(job.status, way[i]) == 0)
		{
			move(id, way[i + 1], NULL);
			job.status = unconstify(char *, way[i + 1]);
		}
}

/*
 * Parameters: the id of a job, and a text, which may be NULL.
 */
static ParamListInfo
with_id(Datum id, const char *text)
{
	const char *values[] = {NULL, text};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);

	sync_kit_set_param(params, 0, UUIDOID, id);
	return params;
}

/*
 * Take what is known of a job; a SyncRowSink.
 */
static void
take_job(void *arg, int ncells, char **cells)
{
	KnownJob *job = arg;

	job->status = pstrdup(cells[0]);
	job->user = pstrdup(cells[1]);
}

/*
 * Look at a job.
 */
static void
look_up(Datum id, KnownJob *job)
{
	(void)
		sync_kit_spi_run_own("SELECT status, user_id FROM @extschema@.sync_jobs"
							 " WHERE id = $1",
							 with_id(id, NULL),
							 false,
							 take_job,
							 job);
}

/*
 * Look at a job and keep others from changing it until the transaction ends.
 */
static KnownJob
lock_job(Datum id)
{
	KnownJob job = {0};

	(void)
		sync_kit_spi_run_own("SELECT status, user_id FROM @extschema@.sync_jobs"
							 " WHERE id = $1 FOR NO KEY UPDATE",
							 with_id(id, NULL),
							 false,
							 take_job,
							 &job);
	return job;
}

/*
 * Whether a job is completed or has failed.
 */
static bool
has_ended(const KnownJob *job)
{
	return strcmp(job->status, "completed") == 0 ||
		   strcmp(job->status, "failed") == 0;
}

/*
 * Move a job one step on.
 */
static void
move(Datum id, const char *status, const char *error)
{
	(void) sync_kit_spi_run_own(psprintf("UPDATE @extschema@.sync_jobs"
										 " SET status = '%s', error = $2"
										 " WHERE id = $1",
										 status),
								with_id(id, error),
								false,
								NULL,
								NULL);
}
