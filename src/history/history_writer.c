/*-------------------------------------------------------------------------
 *
 * history_writer.c
 *	  The short-lived process that writes the history row of a failed run.
 *
 * The failed run's own transaction takes everything with it that it wrote, so
 * the row is handed to a background worker, in shared memory, which commits
 * it in a transaction of its own.  The failing session waits for that, a
 * bounded time, so that the row is there when the user sees the error.
 *
 * A row that cannot be written is a WARNING: it never hides the run's own
 * error.  The writer waits for no lock longer than the session waits for it,
 * or the two would wait for each other where the failed transaction holds a
 * lock on sync_history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "history/history.h"
#include "kit/kit_compat.h"
#include "kit/kit_worker.h"

#define WRITER_WAIT_MS		3000 /* how long the failed session waits */
#define WRITER_LOCK_TIMEOUT "2s"

/* What the session hands to the writer */
typedef struct WriterRequest
{
	Oid database;
	bool done; /* set by the writer once it has committed */
	char row[FLEXIBLE_ARRAY_MEMBER]; /* JSON */
} WriterRequest;

static char *hand_over(const char *row);
static bool start_writer(dsm_segment *segment, BackgroundWorkerHandle **handle);
static bool wait_for_writer(BackgroundWorkerHandle *handle,
							volatile bool *done);

/* set by sync_history_on_failed */
static SyncFailedHook failed_hook = NULL;

/*
 * Have "hook" told of all runs that fail.  Called at load time.
 */
void
sync_history_on_failed(SyncFailedHook hook)
{
	failed_hook = hook;
}

/*
 * Write the row of a failed run, though the current transaction will be
 * rolled back.  Does nothing on a standby.  Called while "error" is being
 * handled or the process is about to exit; raises nothing.
 */
void
sync_history_failed(const SyncRun *run, const ErrorData *error)
{
	MemoryContext caller = CurrentMemoryContext;
	char *row = sync_history_failed_row(run, error);
	char *problem = "the writer did not answer";

	if (RecoveryInProgress())
		return;

	/* the abort that follows would release what the failed code held */
	LWLockReleaseAll();
	PG_TRY();
	{
		problem = hand_over(row);
	}
	PG_CATCH();
	{
		ErrorData *second;

		MemoryContextSwitchTo(caller);
		second = CopyErrorData();
		FlushErrorState();
		problem = second->message;
	}
	PG_END_TRY();

	if (problem && !proc_exit_inprogress)
		ereport(WARNING,
				errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				errmsg("could not write the sync_history row of a failed run: %s",
					   problem),
				errdetail("The run was: %s", row),
				errhint("The writer takes one slot of \"max_worker_processes\"; the server log may say more."));
	pfree(row);
}

/*
 * Hand the row to a writer and wait for it.  Returns NULL, or what is in the
 * way.
 */
static char *
hand_over(const char *row)
{
	dsm_segment *segment =
		dsm_create(offsetof(WriterRequest, row) + strlen(row) + 1,
				   DSM_CREATE_NULL_IF_MAXSEGMENTS);
	WriterRequest *request;
	BackgroundWorkerHandle *handle;
	char *problem = NULL;

	if (segment == NULL)
		return "too many dynamic shared memory segments";

	request = dsm_segment_address(segment);
	request->database = MyDatabaseId;
	request->done = false;
	strcpy(request->row, row);
	if (!start_writer(segment, &handle))
		problem =
			"no slot for a background worker is free (\"max_worker_processes\")";
	else if (!wait_for_writer(handle, &request->done))
		problem =
			"the writer failed or did not finish in time; see the server log";
	dsm_detach(segment);
	return problem;
}

/*
 * Ask the postmaster for a writer.  Returns false where it has no slot.
 */
static bool
start_writer(dsm_segment *segment, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	sync_kit_worker_init(&worker,
						 "sync_history_writer_main",
						 "sync history writer");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/*
 * Wait until the writer has ended, but no longer than WRITER_WAIT_MS, and not
 * when this session is itself told to stop.  Returns whether the row is in.
 */
static bool
wait_for_writer(BackgroundWorkerHandle *handle, volatile bool *done)
{
	TimestampTz deadline =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WRITER_WAIT_MS);
	uint32 wait_event = sync_compat_wait_event("SyncHistoryWriter");

	for (;;)
	{
		long left =
			TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		pid_t pid;

		if (GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED)
			return *done;
		if (left <= 0 || (ProcDiePending && !proc_exit_inprogress))
			return *done;

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 left,
						 wait_event);
		ResetLatch(MyLatch);
	}
}

/*
 * The writer: read the row, insert it, commit, say so, end.
 */
void
sync_history_writer_main(Datum handle)
{
	dsm_segment *segment;
	WriterRequest *request;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	segment = dsm_attach(DatumGetUInt32(handle));
	if (segment == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("could not read the row to be written to sync_history"),
				errdetail("The session that asked for it has ended."));
	request = dsm_segment_address(segment);

	BackgroundWorkerInitializeConnectionByOid(request->database, InvalidOid, 0);
	SetConfigOption("lock_timeout",
					WRITER_LOCK_TIMEOUT,
					PGC_SUSET,
					PGC_S_OVERRIDE);
	/* the database may have other defaults */
	SetConfigOption("default_transaction_read_only",
					"off",
					PGC_SUSET,
					PGC_S_OVERRIDE);

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "sync_ext: writing sync_history");
	sync_history_insert(request->row);
	if (failed_hook)
		failed_hook(request->row);
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);

	request->done = true;
	proc_exit(0);
}
