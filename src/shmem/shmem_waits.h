/*-------------------------------------------------------------------------
 *
 * shmem_waits.h
 *	  Whether there are tasks that wait for others, so that nobody looks for
 *	  them where there are none.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_WAITS_H
#define SHMEM_WAITS_H

#include "shmem/shmem_segment.h"

/* in shmem_waits.c */
extern Size sync_shmem_waits_size(void);
extern void sync_shmem_waits_attach(void *memory, LWLock *lock, bool fresh);
extern void sync_shmem_waits_use_own(void);
extern void sync_shmem_waits_announce(Oid database);
extern bool sync_shmem_waits_possible(Oid database);
extern bool sync_shmem_waits_new(Oid database);
extern bool sync_shmem_waits_take_new(Oid database);
extern uint64 sync_shmem_waits_announced(Oid database);
extern void sync_shmem_waits_set_none(Oid database, uint64 announced);

#endif /* SHMEM_WAITS_H */
