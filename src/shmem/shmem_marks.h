/*-------------------------------------------------------------------------
 *
 * shmem_marks.h
 *	  Marks: the task that each process is at work on, where it outlives the
 *	  server's processes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_MARKS_H
#define SHMEM_MARKS_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

/* An attempt at a task */
typedef struct SyncMark
{
	Oid database;
	int attempt;
	int64 queue_id; /* 0: none */
} SyncMark;

/* in shmem_marks.c */
extern Size sync_shmem_marks_size(void);
extern void sync_shmem_marks_attach(void *memory, LWLock *lock, bool fresh);
extern void sync_shmem_marks_enter(int place);
extern void sync_shmem_marks_leave(void);
extern void sync_shmem_marks_set(int64 queue_id, int attempt);
extern List *sync_shmem_marks_suspects(Oid database);
extern bool sync_shmem_marks_suspected(int64 queue_id, int attempt);
extern void sync_shmem_marks_forget(const SyncMark *suspect);

#endif /* SHMEM_MARKS_H */
