/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background workers that perform tasks, and the launcher that keeps
 *	  them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORKER_H
#define WORKER_H

#include "nodes/pg_list.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

/* What a worker is told when it is started */
typedef struct SyncWorkerStart
{
	Oid database;
	int number; /* from 0 */
} SyncWorkerStart;

/* in worker_launcher.c */
extern void sync_worker_init(void);
extern PGDLLEXPORT void sync_worker_launcher_main(Datum unused);

/* in worker_loop.c */
extern PGDLLEXPORT void sync_worker_main(Datum unused);

/* in worker_locks.c */
extern void sync_worker_release_locks(void);

/* in worker_databases.c */
extern List *sync_worker_databases(void);
extern bool sync_worker_wanted(const char *database);

/* in worker_utility.c */
extern void sync_worker_watch_utilities(void);

#endif /* WORKER_H */
