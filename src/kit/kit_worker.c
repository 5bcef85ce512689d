/*-------------------------------------------------------------------------
 *
 * kit_worker.c
 *	  Background workers that are about to be started.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_worker.h"

/*
 * Fill in a worker that runs a function of the extension, is connected to a
 * database and is not started again; it is named as its type.
 */
void
sync_kit_worker_init(BackgroundWorker *worker,
					 const char *function,
					 const char *type)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags =
		BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "sync_ext", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker->bgw_name, type, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}
