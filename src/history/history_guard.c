/*-------------------------------------------------------------------------
 *
 * history_guard.c
 *	  Seeing to it that a run that fails leaves its row in history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "history/history.h"

/* the run at work, for record_exit; set by sync_history_guard */
static SyncRun *guarded = NULL;

static void watch_exit(void);
static void record_exit(int code, Datum arg);

/*
 * Do the "work" of a run.  Where it raises, or the session is told to end
 * meanwhile, history gets the row of a failed run; the error is passed on.
 */
void
sync_history_guard(SyncRun *run, void (*work)(void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	SyncRun *outer = guarded;

	watch_exit();
	PG_TRY();
	{
		run->outer = outer;
		guarded = run;
		work(arg);
		guarded = outer;
	}
	PG_CATCH();
	{
		ErrorData *error;

		guarded = outer;
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		sync_history_failed(run, error);
		ReThrowError(error);
	}
	PG_END_TRY();
}

/*
 * The FATAL error of a session that is told to end passes PG_CATCH by: have
 * record_exit called then.
 */
static void
watch_exit(void)
{
	static bool watching = false;

	if (!watching)
		before_shmem_exit(record_exit, (Datum) 0);
	watching = true;
}

/*
 * Write the history rows of the runs whose session was told to end.
 */
static void
record_exit(int code, Datum arg)
{
	ErrorData error = {
		.sqlerrcode = ClientConnectionLost ? ERRCODE_CONNECTION_FAILURE
										   : ERRCODE_ADMIN_SHUTDOWN,
		.message = "the session was ended during the run",
	};

	for (; guarded; guarded = guarded->outer)
		sync_history_failed(guarded, &error);
}
