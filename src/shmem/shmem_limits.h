/*-------------------------------------------------------------------------
 *
 * shmem_limits.h
 *	  Rate limits: how many tasks of a kind may be begun, shared by all who
 *	  perform tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_LIMITS_H
#define SHMEM_LIMITS_H

#include "shmem/shmem_segment.h"

/* So many in so long, for all that have the key */
typedef struct SyncRate
{
	int64 key;
	int tasks;
	int64 interval_ms;
} SyncRate;

/* in shmem_limits.c */
extern Size sync_shmem_limits_size(void);
extern void sync_shmem_limits_attach(void *memory, LWLock *lock, bool fresh);
extern int sync_shmem_limits_allow(Oid database,
								   const SyncRate *rate,
								   TimestampTz now,
								   TimestampTz *next);
extern void sync_shmem_limits_spend(Oid database,
									const SyncRate *rate,
									int tasks);

#endif /* SHMEM_LIMITS_H */
