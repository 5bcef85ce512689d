/*-------------------------------------------------------------------------
 *
 * shmem_paces.h
 *	  The pace of requests: when the last ones went out, shared by all who make
 *	  them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_PACES_H
#define SHMEM_PACES_H

#include "port/atomics.h"

#include "shmem/shmem_segment.h"

/* How fast requests of one kind may follow each other */
typedef struct SyncPace
{
	int64 key;
	int requests; /* in a window; 0: any number */
	int64 window_ms;
	int64 interval_ms; /* between two; 0: none */
} SyncPace;

/* A request that was counted */
typedef struct SyncPaceTicket
{
	pg_atomic_uint64 *time; /* where it is noted; NULL: nowhere */
	pg_atomic_uint64 *last; /* likewise, for the interval */
	uint64 noted;			/* what stands in both, as long as it is ours */
	int64 window_ms;
	int64 interval_ms;
} SyncPaceTicket;

/* in shmem_paces.c */
extern Size sync_shmem_paces_size(void);
extern void sync_shmem_paces_attach(void *memory, LWLock *lock, bool fresh);
extern int64 sync_shmem_paces_wait(Oid database, const SyncPace *pace);
extern int64 sync_shmem_paces_take(Oid database,
								   const SyncPace *pace,
								   int64 limit_ms,
								   SyncPaceTicket *ticket);
extern void sync_shmem_paces_sent(SyncPaceTicket *ticket);
extern void sync_shmem_paces_done(SyncPaceTicket *ticket);
extern void sync_shmem_paces_pause(Oid database, int64 key, int64 ms);
extern int sync_shmem_paces_left(Oid database, const SyncPace *pace);
extern bool sync_shmem_paces_any_paused(void);
extern bool sync_shmem_paces_paused(Oid database,
									int64 key,
									TimestampTz *since,
									TimestampTz *until);

#endif /* SHMEM_PACES_H */
