/*-------------------------------------------------------------------------
 *
 * queue_limit.c
 *	  How many tasks of an operation type may be begun now.
 *
 * A lane whose limit is reached is left alone until that changes; others are
 * not held up by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "queue/queue_row.h"
#include "shmem/shmem_driven.h"
#include "shmem/shmem_workers.h"

static SyncRate rate_of(const SyncTask *task);
static SyncRate rate_of_lane(const SyncOperation *operation, int64 lane);

/*
 * How many tasks of the lane of this one may be begun now.  0: none, before
 * "next", or, where that is DT_NOEND, before others are done.  Otherwise this
 * process counts as being at work on them, until sync_queue_release.  Of those
 * that are driven there are places for so many, at most "places", until
 * sync_shmem_driven_release.
 */
int
sync_queue_allowed(const SyncTask *task,
				   int places,
				   TimestampTz now,
				   TimestampTz *next)
{
	const SyncOperation *operation = task->operation;
	int allowed = PG_INT32_MAX;
	SyncRate rate;

	if (operation == NULL)
		return allowed;
	rate = rate_of(task);
	if (rate.tasks > 0)
		allowed = sync_shmem_limits_allow(MyDatabaseId, &rate, now, next);
	if (allowed > 0 && operation->driver)
	{
		allowed = sync_shmem_driven_reserve(rate.key,
											operation->max_running,
											Min(allowed, places));
		if (allowed == 0)
			*next = DT_NOEND;
	}
	else if (allowed > 0 && operation->max_running > 0 &&
			 !sync_shmem_workers_reserve(rate.key, operation->max_running))
	{
		*next = DT_NOEND;
		return 0;
	}
	return allowed;
}

/*
 * Is a task driven, beside others?
 */
bool
sync_queue_is_driven(const SyncTask *task)
{
	return task->operation && task->operation->driver;
}

/*
 * Until when the rate of an operation (NULL: it does not exist) lets no task of
 * a lane begin; "now" where one may.
 */
TimestampTz
sync_queue_rate_holds(const SyncOperation *operation,
					  int64 lane,
					  TimestampTz now)
{
	TimestampTz until = now;
	SyncRate rate;

	if (operation == NULL || operation->rate.tasks == 0)
		return now;
	rate = rate_of_lane(operation, lane);
	(void) sync_shmem_limits_allow(MyDatabaseId, &rate, now, &until);
	return until;
}

/*
 * So many tasks of the lane of this one are begun.
 */
void
sync_queue_spend(const SyncTask *task, int tasks)
{
	SyncRate rate;

	if (task->operation == NULL || task->operation->rate.tasks == 0)
		return;
	rate = rate_of(task);
	sync_shmem_limits_spend(MyDatabaseId, &rate, tasks);
}

/*
 * A task was claimed and is not begun: another one may be in its place.
 */
void
sync_queue_unspend(const SyncTask *task)
{
	sync_queue_spend(task, -1);
}

/*
 * This process is done with what it claimed: others may begin such tasks.
 */
void
sync_queue_release(void)
{
	if (!sync_shmem_workers_release())
		return;
	(void) sync_shmem_lanes_unblock(MyDatabaseId);
	sync_shmem_workers_wake(MyDatabaseId);
}

/*
 * The limit of the rate of a task, and whom it shares it with.
 */
static SyncRate
rate_of(const SyncTask *task)
{
	return rate_of_lane(task->operation, task->lane);
}

/*
 * The same for tasks of a lane.
 */
static SyncRate
rate_of_lane(const SyncOperation *operation, int64 lane)
{
	SyncRate rate = operation->rate;

	if (operation->per_tenant)
		rate.key = lane;
	return rate;
}
