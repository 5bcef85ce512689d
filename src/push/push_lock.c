/*-------------------------------------------------------------------------
 *
 * push_lock.c
 *	  One process at a time for a push and a tenant.
 *
 * The lock is held over transactions, and goes with its process.  So rows that
 * are found to be "sending" by its holder are left over from one that was lost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "push/push.h"

#define LOCK_SUBID 4 /* those of users' advisory locks are 1 and 2 */

struct SyncPushLock
{
	LOCKTAG tag;
};

/*
 * Take the lock, in the current memory context.  Raises where somebody has it,
 * this process included.
 */
SyncPushLock *
sync_push_lock(const char *name, const int64 *tenant)
{
	SyncPushLock *lock = palloc0(sizeof(SyncPushLock));
	char *whose = tenant ? psprintf(INT64_FORMAT, *tenant) : pstrdup("");
	LockAcquireResult result;

	SET_LOCKTAG_ADVISORY(lock->tag,
						 MyDatabaseId,
						 hash_bytes((const unsigned char *) name, strlen(name)),
						 hash_bytes((const unsigned char *) whose,
									strlen(whose)),
						 LOCK_SUBID);
	result = LockAcquire(&lock->tag, ExclusiveLock, true, true);
	if (result == LOCKACQUIRE_ALREADY_HELD)
		(void) LockRelease(&lock->tag, ExclusiveLock, true);
	if (result != LOCKACQUIRE_OK)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("push \"%s\" is at work already", name),
				tenant
					? errdetail("It pushes rows of timing partner " INT64_FORMAT
								".",
								*tenant)
					: 0);
	return lock;
}

/*
 * Give the lock back.
 */
void
sync_push_unlock(SyncPushLock *lock)
{
	(void) LockRelease(&lock->tag, ExclusiveLock, true);
	pfree(lock);
}
