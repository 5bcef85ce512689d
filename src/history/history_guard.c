/*-------------------------------------------------------------------------
 *
 * history_guard.c
 *	  Beginning runs, and seeing to it that one that fails leaves its row in
 *	  history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "history/history.h"

/* the innermost run at work; set by sync_history_guard */
static SyncRun *guarded = NULL;

static void watch_exit(void);
static void record_exit(int code, Datum arg);

/*
 * Begin a run of the given kind: what is true of it from the start, in the
 * current memory context.
 */
void
sync_history_start(SyncRun *run, const char *operation)
{
	memset(run, 0, sizeof(*run));
	run->operation = operation;
	run->run_by = GetUserNameFromId(GetUserId(), false);
	run->started_at = GetCurrentTimestamp();
	run->within = guarded;
}

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
 * Note which table a run is about to write.  Raises where one that it began in the
 * middle of, by a trigger or in a query, writes the same one: it has compared by
 * now, or will compare with what this one leaves half done.
 */
void
sync_history_writes(SyncRun *run, Oid relation)
{
	for (SyncRun *outer = run->within; outer; outer = outer->outer)
		if (outer->writes == relation)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_IN_USE),
					errmsg("table \"%s\" is being written by the run of %s \"%s\" that this one is part of",
						   get_rel_name(relation),
						   outer->operation,
						   outer->subject),
					errhint("Look for what begins a run in the middle of it: a trigger, or a function in a query."));
	run->writes = relation;
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
