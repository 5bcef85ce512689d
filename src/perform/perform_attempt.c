/*-------------------------------------------------------------------------
 *
 * perform_attempt.c
 *	  One attempt at a task, as the role that it runs as.
 *
 * It is a subtransaction, so that an error undoes just this.  Within it, no
 * other role can be taken (SECURITY_RESTRICTED_OPERATION, as for REFRESH of a
 * materialized view), the search_path is the operation type's, and settings
 * are set back at its end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "kit/kit_override.h"
#include "kit/kit_prospect.h"
#include "perform/perform.h"
#include "shmem/shmem_workers.h"

/* set by the timeout's handler, cleared before the next attempt */
static volatile sig_atomic_t timed_out = false;

/* the task that is being tried; NULL: none */
static const SyncTask *at_work = NULL;

static void perform(SyncTask *task, SyncAct act, void *arg, SyncResult *result);
static void become(SyncTask *task);
static void start_timeout(SyncTask *task);
static void stop_timeout(void);
static void end_attempt(void);
static bool is_interrupt(const ErrorData *error);
static void judge(SyncRound *round, SyncTask *task, SyncResult *result);

/* the timeout of this library, once it has one */
static TimeoutId timeout = MAX_TIMEOUTS;

/*
 * Try to perform a task: do "act", which is given "arg".  Whatever it raises is in the result, which lies in
 * the current memory context; but what ends the session, or cancels a user's,
 * is raised.  While tasks are driven, "round" keeps that for later.
 */
void
sync_perform_attempt(SyncRound *round,
					 SyncTask *task,
					 SyncAct act,
					 void *arg,
					 SyncResult *result)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	memset(result, 0, sizeof(*result));
	result->started_at = GetCurrentTimestamp();
	sync_perform_check_constraints_at_once();
	/* a cancel that came too late was not meant for this one */
	if (!round->session)
		QueryCancelPending = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		perform(task, act, arg, result);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		stop_timeout();
		MemoryContextSwitchTo(caller);
		result->error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		sync_perform_foresee(task, result->error);
		sync_perform_shorten(result->error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	at_work = NULL;
	sync_perform_leave_job();
	/* a session's own cursors are open, too */
	if (!round->session)
		PortalHashTableDeleteAll();
	result->finished_at = GetCurrentTimestamp();
	if (result->error)
		judge(round, task, result);
}

/*
 * The task whose handler is at work, for handlers that want more of it than its
 * payload.  Raises where there is none.
 */
const SyncTask *
sync_perform_task(void)
{
	if (at_work == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("no task is being performed"),
				errhint("The function is a handler of tasks: put one into the queue with sync_trigger()."));
	return at_work;
}

/*
 * Let a task know what is known of another attempt where this one has raised.
 */
void
sync_perform_foresee(SyncTask *task, const ErrorData *error)
{
	SyncProspect prospect = sync_kit_prospect_take(error);

	task->hopeless |= prospect.hopeless;
	if (prospect.retry_at > 0)
		task->retry_at = prospect.retry_at;
}

/*
 * Perform a task, in the subtransaction.
 */
static void
perform(SyncTask *task, SyncAct act, void *arg, SyncResult *result)
{
	Oid caller;
	int security;
	int settings;

	GetUserIdAndSecContext(&caller, &security);
	settings = NewGUCNestLevel();
	sync_perform_enter_job(task, result);
	become(task);
	at_work = task;
	start_timeout(task);
	PushActiveSnapshot(GetTransactionSnapshot());
	result->details = act(task, arg);
	PopActiveSnapshot();
	stop_timeout();
	AtEOXact_GUC(false, settings);
	SetUserIdAndSecContext(caller, security);
}

/*
 * Become the role of a task.
 */
static void
become(SyncTask *task)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(task->run_as)))
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("the role that the task runs as does not exist any more"),
				errdetail("Its OID was %u.", task->run_as));
	sync_kit_override("search_path",
					  task->operation ? task->operation->search_path
									  : "pg_catalog, pg_temp");
	SetUserIdAndSecContext(task->run_as,
						   SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
}

/*
 * Have a task stopped that takes longer than it may.
 */
static void
start_timeout(SyncTask *task)
{
	timed_out = false;
	if (task->operation == NULL || task->operation->timeout_ms == 0)
		return;
	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, end_attempt);
	enable_timeout_after(timeout,
						 (int) Min(task->operation->timeout_ms, INT_MAX));
}

/*
 * The task has ended in time, or not.
 */
static void
stop_timeout(void)
{
	if (timeout == MAX_TIMEOUTS)
		return;
	disable_timeout(timeout, false);
	/* what it came too late for, it is not to stop what follows */
	if (timed_out)
		QueryCancelPending = false;
}

/*
 * The task has taken too long: cancel it; the handler of the timeout.
 */
static void
end_attempt(void)
{
	timed_out = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

/*
 * Did this process see that it was cancelled?  A handler may raise that SQLSTATE, too,
 * or pass on what another server says.
 */
static bool
is_interrupt(const ErrorData *error)
{
	return error->funcname && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/*
 * Find out what an error means that may be a cancel, which says nothing of who
 * wanted it.
 */
static void
judge(SyncRound *round, SyncTask *task, SyncResult *result)
{
	ErrorData *error = result->error;

	if (error->sqlerrcode != ERRCODE_QUERY_CANCELED)
		return;
	if (sync_shmem_workers_cancelled())
	{
		result->cancelled = true;
		error->message = pstrdup("the task was cancelled");
	}
	else if (timed_out)
		error->message =
			psprintf("the task took longer than " INT64_FORMAT " ms",
					 task->operation->timeout_ms);
	else if (round->session && round->driving && is_interrupt(error))
		round->interrupted = true;
	else if (round->session && is_interrupt(error))
		ReThrowError(error);
}
