/*-------------------------------------------------------------------------
 *
 * kit_compat_lock.h
 *	  What differs between server versions, of locks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_COMPAT_LOCK_H
#define KIT_COMPAT_LOCK_H

#include "storage/proc.h"

/*
 * Has this process any lock in that partition of the lock table?
 */
static inline bool
sync_compat_has_locks(int partition)
{
#if PG_VERSION_NUM >= 160000
	return !dlist_is_empty(&MyProc->myProcLocks[partition]);
#else
	return !SHMQueueEmpty(&MyProc->myProcLocks[partition]);
#endif
}

#endif /* KIT_COMPAT_LOCK_H */
