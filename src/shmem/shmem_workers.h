/*-------------------------------------------------------------------------
 *
 * shmem_workers.h
 *	  Workers: who performs what, who is idle, and how to wake one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_WORKERS_H
#define SHMEM_WORKERS_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

/* The number of a session that performs tasks, in place of a worker's */
#define SYNC_WORKER_SESSION (-1)

/* What a process that performs tasks is doing, as it stands in its slot */
typedef struct SyncWorker
{
	pid_t pid;
	Oid database;
	int number;				/* of the background worker, -1: a session */
	bool idle;				/* it waits, and may be woken */
	TransactionId xid;		/* that holds the tasks of its batch */
	int64 queue_id;			/* the task at hand, 0: none */
	int driven;				/* how many tasks it drives beside that */
	TimestampTz task_since; /* when that was begun */
	TimestampTz started_at;
	int64 performed; /* how many tasks so far */
	int64 failed;
} SyncWorker;

/* in shmem_workers.c */
extern Size sync_shmem_workers_size(void);
extern void sync_shmem_workers_attach(void *memory, LWLock *lock, bool fresh);
extern bool sync_shmem_workers_enter(int number);
extern void sync_shmem_workers_leave(void);
extern void sync_shmem_workers_set_idle(bool idle);
extern void sync_shmem_workers_set_task(int64 queue_id, TransactionId xid);
extern void sync_shmem_workers_set_driven(int driven);
extern bool sync_shmem_workers_reserve(int64 kind, int max);
extern bool sync_shmem_workers_release(void);
extern void sync_shmem_workers_count(int performed, int failed);
extern bool sync_shmem_workers_cancelled(void);
extern bool sync_shmem_workers_cancel(int64 queue_id);
extern bool sync_shmem_workers_holds(TransactionId xid);
extern bool sync_shmem_workers_performs(Oid database, pid_t pid, int64 queue_id);
extern bool sync_shmem_workers_busy(Oid database);
extern void sync_shmem_workers_wake(Oid database);
extern bool sync_shmem_workers_wake_free(Oid database);
extern bool sync_shmem_workers_present(Oid database, int number);
extern bool sync_shmem_workers_others(Oid database);
extern void sync_shmem_workers_call(void);
extern int sync_shmem_workers_terminate(Oid database);
extern List *sync_shmem_workers_list(void);

#endif /* SHMEM_WORKERS_H */
