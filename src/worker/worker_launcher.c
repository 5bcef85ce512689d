/*-------------------------------------------------------------------------
 *
 * worker_launcher.c
 *	  The launcher: keeps sync_ext.workers workers in each database of
 *	  sync_ext.databases that has the extension.
 *
 * It reads pg_database only; whether the extension is there, the first worker
 * of a database finds out, and ends where it is not.  The launcher looks again
 * when it is told to (worker_utility.c), when settings change, and once in a
 * while.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "kit/kit_settings.h"
#include "kit/kit_worker.h"
#include "shmem/shmem_launcher.h"
#include "shmem/shmem_workers.h"
#include "worker/worker.h"

/* after so long it is looked for databases that have got the extension */
#define LOOK_MS 60000

/* a worker that ended is not started again before that */
#define RESTART_MS 1000

/* A worker that was started by this process */
typedef struct Started
{
	SyncWorkerStart start;
	BackgroundWorkerHandle *handle;
	TimestampTz at;
} Started;

static List *started = NIL; /* Started, in TopMemoryContext */

static bool keep_workers(void);
static List *read_databases(void);
static Started *find_started(const SyncWorkerStart *start);
static bool start_worker(const SyncWorkerStart *start);

/*
 * Register the launcher, where the library is being preloaded.  Called once
 * from _PG_init.
 */
void
sync_worker_init(void)
{
	BackgroundWorker worker;

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	sync_worker_watch_utilities();

	sync_kit_worker_init(&worker, "sync_worker_launcher_main", "sync launcher");
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

/*
 * The launcher.
 */
void
sync_worker_launcher_main(Datum unused)
{
	uint32 wait_event = sync_compat_wait_event("SyncLauncherIdle");

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	sync_shmem_launcher_enter();
	pgstat_report_appname("sync launcher");

	for (;;)
	{
		bool complete = keep_workers();

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 complete ? LOOK_MS : RESTART_MS,
						 wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			sync_shmem_workers_call();
		}
	}
}

/*
 * Start the workers that are missing.  Returns false where some are to be
 * started soon.
 */
static bool
keep_workers(void)
{
	static TimestampTz looked_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	bool complete = true;
	List *databases;
	ListCell *cell;

	if (TimestampDifferenceExceeds(looked_at, now, LOOK_MS))
	{
		sync_shmem_launcher_forget();
		looked_at = now;
	}
	databases = read_databases();
	foreach(cell, databases)
	{
		SyncWorkerStart start = {.database = lfirst_oid(cell)};
		Started *before;

		for (; start.number < sync_guc_workers; start.number++)
		{
			pid_t pid;

			if (sync_shmem_workers_present(start.database, start.number))
				continue;
			if (sync_shmem_launcher_absent(start.database))
				break;
			complete = false;
			before = find_started(&start);
			if (sync_shmem_launcher_held(start.database) ||
				(before->handle &&
				 GetBackgroundWorkerPid(before->handle, &pid) !=
					 BGWH_STOPPED) ||
				!TimestampDifferenceExceeds(before->at, now, RESTART_MS))
				continue;
			before->at = now;
			if (!start_worker(&start))
				return false;
		}
	}
	list_free(databases);
	return complete;
}

/*
 * The databases of sync_ext.databases, in TopMemoryContext.
 */
static List *
read_databases(void)
{
	List *databases;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	databases = sync_worker_databases();
	MemoryContextSwitchTo(TopMemoryContext);
	databases = list_copy(databases);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return databases;
}

/*
 * What is known of the start of that worker.
 */
static Started *
find_started(const SyncWorkerStart *start)
{
	MemoryContext caller;
	Started *known;
	ListCell *cell;

	foreach(cell, started)
	{
		known = lfirst(cell);
		if (known->start.database == start->database &&
			known->start.number == start->number)
			return known;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	known = palloc0(sizeof(Started));
	known->start = *start;
	started = lappend(started, known);
	MemoryContextSwitchTo(caller);
	return known;
}

/*
 * Ask the postmaster for a worker.  Returns false where it has no slot, which
 * is said once.
 */
static bool
start_worker(const SyncWorkerStart *start)
{
	static bool said = false;
	Started *known = find_started(start);
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	BackgroundWorker worker;
	bool registered;

	sync_kit_worker_init(&worker, "sync_worker_main", "sync worker");
	snprintf(worker.bgw_name,
			 BGW_MAXLEN,
			 "sync worker %d for database %u",
			 start->number,
			 start->database);
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, start, sizeof(*start));
	if (known->handle)
		pfree(known->handle);
	known->handle = NULL;
	registered = RegisterDynamicBackgroundWorker(&worker, &known->handle);
	MemoryContextSwitchTo(caller);

	if (!registered && !said)
		ereport(WARNING,
				errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				errmsg("no slot for a background worker is free"),
				errhint("Raise \"max_worker_processes\", or lower \"sync_ext.workers\"."));
	said = !registered;
	return registered;
}
