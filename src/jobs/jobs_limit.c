/*-------------------------------------------------------------------------
 *
 * jobs_limit.c
 *	  How many jobs an owner may have.
 *
 * Those who create jobs for one owner wait for each other, so that each counts
 * what the one before has committed, whatever the isolation level.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/snapmgr.h"

#include "jobs/jobs.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"

/* tells our locks from those of pg_advisory_lock(), which have 1 or 2 */
#define OWNER_LOCK_KIND 3

/* What an owner has */
typedef struct OwnJobs
{
	int active;
	int recent;		  /* created within an hour */
	const char *wait; /* until fewer are recent; NULL: no need */
} OwnJobs;

static void lock_owner(const char *user);
static void count_jobs(const char *user, OwnJobs *jobs);
static void take_counts(void *arg, int ncells, char **cells);

/*
 * Raise where an owner may have no further job.  Waits for others who are
 * creating one for the same owner.
 */
void
sync_jobs_check_limits(const char *user)
{
	OwnJobs jobs = {0};

	if (sync_guc_job_limit_active < 0 && sync_guc_job_limit_hourly < 0)
		return;
	lock_owner(user);
	count_jobs(user, &jobs);
	if (sync_guc_job_limit_active >= 0 &&
		jobs.active >= sync_guc_job_limit_active)
		ereport(ERROR,
				errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				errmsg("user \"%s\" has too many active jobs", user),
				errdetail("There are %d, and \"sync_ext.job_limit_active\" is %d. Wait until one has ended.",
						  jobs.active,
						  sync_guc_job_limit_active),
				errhint("Those that no longer move are ended by sync_cleanup_stuck_jobs()."));
	if (sync_guc_job_limit_hourly >= 0 &&
		jobs.recent >= sync_guc_job_limit_hourly)
		ereport(ERROR,
				errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				errmsg("user \"%s\" has created too many jobs", user),
				errdetail("There were %d within an hour, and \"sync_ext.job_limit_hourly\" is %d. Wait for %s.",
						  jobs.recent,
						  sync_guc_job_limit_hourly,
						  jobs.wait ? jobs.wait : "an hour"));
}

/*
 * Keep others from creating jobs for a user until this transaction has ended.
 */
static void
lock_owner(const char *user)
{
	LOCKTAG tag;
	uint64 hash =
		hash_bytes_extended((const unsigned char *) user, strlen(user), 0);

	SET_LOCKTAG_ADVISORY(tag,
						 MyDatabaseId,
						 (uint32) (hash >> 32),
						 (uint32) hash,
						 OWNER_LOCK_KIND);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/*
 * Count the jobs of a user that are committed now or were created before in
 * this transaction, also by the statement that is being executed.
 */
static void
count_jobs(const char *user, OwnJobs *jobs)
{
	const char *values[] = {
		user,
		psprintf("%d", Max(sync_guc_job_limit_hourly, 1)),
	};

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	sync_kit_spi_run_own("SELECT (SELECT count(*) FROM @extschema@.sync_jobs"
						 " WHERE user_id = $1 AND status IN (" SYNC_JOBS_ACTIVE
						 ")),"
						 " (SELECT count(*) FROM @extschema@.sync_jobs WHERE user_id = $1"
						 " AND created_at > clock_timestamp() - interval '1 hour'),"
						 " (SELECT date_trunc('second', created_at + interval '1 hour'"
						 " - clock_timestamp()) + interval '1 second'"
						 " FROM @extschema@.sync_jobs WHERE user_id = $1"
						 " ORDER BY created_at DESC OFFSET $2::int - 1 LIMIT 1)",
						 sync_kit_text_params(lengthof(values), values),
						 true,
						 take_counts,
						 jobs);
	PopActiveSnapshot();
}

/*
 * Take what an owner has; a SyncRowSink.
 */
static void
take_counts(void *arg, int ncells, char **cells)
{
	OwnJobs *jobs = arg;

	jobs->active = atoi(cells[0]);
	jobs->recent = atoi(cells[1]);
	jobs->wait = cells[2] ? pstrdup(cells[2]) : NULL;
}
