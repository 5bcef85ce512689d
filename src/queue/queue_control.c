/*-------------------------------------------------------------------------
 *
 * queue_control.c
 *	  Cancelling, trying again, pausing and draining.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "kit/kit_compat.h"
#include "kit/kit_spi.h"
#include "queue/queue_row.h"
#include "shmem/shmem_driven.h"
#include "shmem/shmem_workers.h"

/* how often it is looked whether a task has been let go */
#define LOOK_MS 10

/* A task in the queue, or in history */
typedef struct Found
{
	bool found;
	Oid run_as;
	bool running;
	int worker_pid;
} Found;

static ParamListInfo find_given_up(int64 queue_id, Found *task);
static ParamListInfo id_param(int64 queue_id);
static void take_found(void *arg, int ncells, char **cells);
static void check_rights(int64 queue_id, Oid run_as);
static void nap(void);
static ParamListInfo pair_params(const char *provider, const char *operation);

/*
 * Cancel a task.  Returns whether there was one.
 */
bool
sync_queue_cancel(int64 queue_id)
{
	for (;;)
	{
		Found task = {0};

		(void)
			sync_queue_run("SELECT run_as::oid, status = 'running', worker_pid"
						   " FROM @extschema@.sync_queue WHERE queue_id = $1",
						   id_param(queue_id),
						   take_found,
						   &task);
		if (!task.found)
			return false;
		check_rights(queue_id, task.run_as);
		if (sync_shmem_workers_cancel(queue_id) ||
			sync_shmem_driven_cancel(queue_id))
			return true;
		if (task.running && !sync_shmem_workers_performs(MyDatabaseId,
														 task.worker_pid,
														 queue_id))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_IN_USE),
					errmsg("task " INT64_FORMAT " is running", queue_id),
					errdetail("It is in the hands of process %d.",
							  task.worker_pid),
					errhint("It can be stopped by pg_cancel_backend(), or is taken back when its lease runs out."));
		if (sync_queue_run("UPDATE @extschema@.sync_queue SET status = 'cancelled'"
						   " WHERE queue_id = (SELECT q.queue_id"
						   " FROM @extschema@.sync_queue q WHERE q.queue_id = $1"
						   " AND q.status IN ('waiting', 'pending') FOR UPDATE SKIP LOCKED)",
						   id_param(queue_id),
						   NULL,
						   NULL) == 1)
			return true;
		/* it is being begun, or is done, or somebody looks at it */
		nap();
	}
}

/*
 * Have a task tried again now.  Returns its identity as text.  Raises where
 * there is none that could be.
 */
char *
sync_queue_retry(int64 queue_id)
{
	Found task = {0};
	ParamListInfo given_up = NULL;
	char *result = NULL;

	(void) sync_queue_run("SELECT run_as::oid, status = 'running', worker_pid"
						  " FROM @extschema@.sync_queue WHERE queue_id = $1",
						  id_param(queue_id),
						  take_found,
						  &task);
	if (!task.found)
		given_up = find_given_up(queue_id, &task);
	check_rights(queue_id, task.run_as);
	if (given_up)
	{
		(void)
			sync_queue_run("INSERT INTO @extschema@.sync_queue "
						   "SELECT (jsonb_populate_record(NULL::@extschema@.sync_queue, $1::jsonb"
						   " || jsonb_build_object('status', 'pending', 'attempt', 0, 'lease_until', NULL,"
						   " 'worker_pid', NULL, 'scheduled_time', now()))).*"
						   " RETURNING queue_id",
						   given_up,
						   sync_kit_take_text,
						   &result);
		sync_queue_set_retried(queue_id);
		return result;
	}
	(void)
		sync_queue_run("UPDATE @extschema@.sync_queue SET scheduled_time = now()"
					   " WHERE queue_id = $1 AND status = 'pending'"
					   " RETURNING queue_id",
					   id_param(queue_id),
					   sync_kit_take_text,
					   &result);
	if (result == NULL && task.running)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("task " INT64_FORMAT " is running", queue_id));
	if (result == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("task " INT64_FORMAT " waits for others", queue_id),
				errhint("To have it wait no longer, set \"after\" and \"after_group\" to NULL."));
	return result;
}

/*
 * Begin no more tasks of a provider and an operation type; NULL: of all.
 * Returns whether that is new.
 */
bool
sync_queue_pause(const char *provider, const char *operation)
{
	return sync_queue_run("INSERT INTO @extschema@.sync_queue_pauses"
						  " (provider_name, operation_type, paused_by)"
						  " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
						  pair_params(provider, operation),
						  NULL,
						  NULL) == 1;
}

/*
 * Begin them again.  Returns whether they were paused.
 */
bool
sync_queue_resume(const char *provider, const char *operation)
{
	return sync_queue_run("DELETE FROM @extschema@.sync_queue_pauses"
						  " WHERE provider_name IS NOT DISTINCT FROM $1"
						  " AND operation_type IS NOT DISTINCT FROM $2"
						  " AND $3 IS NOT NULL",
						  pair_params(provider, operation),
						  NULL,
						  NULL) == 1;
}

/*
 * Wait until no task is at work.  Returns false where that takes too long.
 */
bool
sync_queue_drain(int64 max_wait_ms)
{
	TimestampTz deadline =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), max_wait_ms);

	for (;;)
	{
		char *running = NULL;

		(void) sync_queue_run("SELECT 1 FROM @extschema@.sync_queue"
							  " WHERE status = 'running' LIMIT 1",
							  NULL,
							  sync_kit_take_text,
							  &running);
		if (running == NULL && !sync_shmem_workers_busy(MyDatabaseId))
			return true;
		if (GetCurrentTimestamp() >= deadline)
			return false;
		nap();
	}
}

/*
 * Find a task that is no longer in the queue since it failed for good or was
 * cancelled; raise where there is none.  Returns it as the one parameter.
 */
static ParamListInfo
find_given_up(int64 queue_id, Found *task)
{
	const char *kept = sync_history_given_up_task(queue_id);
	ParamListInfo params = sync_kit_text_params(1, &kept);

	if (kept == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("there is no task " INT64_FORMAT
					   " that could be tried again",
					   queue_id),
				errdetail("It is not in the queue, and history has none of this number that failed or was cancelled."));
	(void)
		sync_queue_run("SELECT (jsonb_populate_record(NULL::@extschema@.sync_queue,"
					   " $1::jsonb)).run_as::oid, false, NULL",
					   params,
					   take_found,
					   task);
	return params;
}

/*
 * The one parameter that is the identity of a task.
 */
static ParamListInfo
id_param(int64 queue_id)
{
	ParamListInfo params = makeParamList(1);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(queue_id));
	return params;
}

/*
 * Keep what is said of a task; a SyncRowSink.
 */
static void
take_found(void *arg, int ncells, char **cells)
{
	Found *task = arg;

	task->found = true;
	task->run_as = cells[0] ? atooid(cells[0]) : InvalidOid;
	task->running = cells[1][0] == 't';
	task->worker_pid = cells[2] ? atoi(cells[2]) : 0;
}

/*
 * Raise unless the current user may become the role of the task.
 */
static void
check_rights(int64 queue_id, Oid run_as)
{
	if (!is_member_of_role(GetUserId(), run_as))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for task " INT64_FORMAT, queue_id),
				errdetail("It runs as another role, of which \"%s\" is no member.",
						  GetUserNameFromId(GetUserId(), false)));
}

/*
 * Wait a moment.
 */
static void
nap(void)
{
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 LOOK_MS,
					 sync_compat_wait_event("SyncQueueControl"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * The parameters that are a provider, an operation type, and who asks.
 */
static ParamListInfo
pair_params(const char *provider, const char *operation)
{
	const char *values[] = {
		provider,
		operation,
		GetUserNameFromId(GetUserId(), false),
	};

	return sync_kit_text_params(lengthof(values), values);
}
