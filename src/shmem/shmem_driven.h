/*-------------------------------------------------------------------------
 *
 * shmem_driven.h
 *	  Tasks that are driven, many at once in each process that performs tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_DRIVEN_H
#define SHMEM_DRIVEN_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

/* in shmem_driven.c */
extern Size sync_shmem_driven_size(void);
extern void sync_shmem_driven_attach(void *memory, LWLock *lock, bool fresh);
extern int sync_shmem_driven_reserve(int64 kind, int max, int wanted);
extern void sync_shmem_driven_begin(int64 queue_id);
extern void sync_shmem_driven_release(void);
extern bool sync_shmem_driven_end(int64 queue_id);
extern bool sync_shmem_driven_retain(bool (*is_driven)(int64 queue_id));
extern void sync_shmem_driven_leave(void);
extern bool sync_shmem_driven_performs(Oid database, pid_t pid, int64 queue_id);
extern bool sync_shmem_driven_cancel(int64 queue_id);
extern bool sync_shmem_driven_next_cancelled(int64 *queue_id);

#endif /* SHMEM_DRIVEN_H */
