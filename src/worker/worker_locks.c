/*-------------------------------------------------------------------------
 *
 * worker_locks.c
 *	  Locks that tasks have left behind.
 *
 * pg_advisory_lock() lasts as long as the session, and that of a worker does not
 * end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "kit/kit_compat_lock.h"
#include "worker/worker.h"

/* what an advisory lock of SQL's is, is 1 or 2 */
#define SQL_LOCK_MAX 2

static bool has_locks(void);
static bool is_mine(const LockInstanceData *lock);

/*
 * Release the advisory locks that tasks have left, between transactions.  While
 * this process has some of ours, theirs wait for that.
 */
void
sync_worker_release_locks(void)
{
	LockData *all;
	bool theirs = false;
	bool ours = false;

	if (!has_locks())
		return;
	all = GetLockStatusData();
	for (int i = 0; i < all->nelements; i++)
	{
		if (!is_mine(&all->locks[i]))
			continue;
		if (all->locks[i].locktag.locktag_field4 <= SQL_LOCK_MAX)
			theirs = true;
		else
			ours = true;
	}
	pfree(all->locks);
	pfree(all);
	if (theirs && !ours)
		LockReleaseSession(USER_LOCKMETHOD);
}

/*
 * Has this process any lock?  Nobody but itself takes one for it.
 */
static bool
has_locks(void)
{
	for (int i = 0; i < NUM_LOCK_PARTITIONS; i++)
		if (sync_compat_has_locks(i))
			return true;
	return false;
}

/*
 * Is that an advisory lock which this process has?
 */
static bool
is_mine(const LockInstanceData *lock)
{
	return lock->pid == MyProcPid && lock->holdMask != 0 &&
		   lock->locktag.locktag_type == LOCKTAG_ADVISORY;
}
