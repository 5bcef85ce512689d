/*-------------------------------------------------------------------------
 *
 * queue_driver.c
 *	  The drivers that there are, and driving one task by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "http/http.h"
#include "queue/queue_driver.h"

/* SyncDriver, in TopMemoryContext; written by sync_queue_add_driver */
static List *drivers = NIL;

static Datum *drive(const SyncDriver *driver, void *state);

/*
 * Let tasks of a handler be driven.  "driver" stays valid.  Called at load time.
 */
void
sync_queue_add_driver(const SyncDriver *driver)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	drivers = lappend(drivers, unconstify(SyncDriver *, driver));
	MemoryContextSwitchTo(caller);
}

/*
 * The driver of a handler, NULL where it has none, or there is no such function.
 */
const SyncDriver *
sync_queue_find_driver(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	const SyncDriver *found = NULL;
	ListCell *cell;
	Datum source;
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		foreach(cell, drivers)
		{
			const SyncDriver *driver = lfirst(cell);

			if (!isnull &&
				strcmp(driver->handler, TextDatumGetCString(source)) == 0)
				found = driver;
		}
	}
	ReleaseSysCache(tuple);
	if (found && getExtensionOfObject(ProcedureRelationId, function) !=
					 get_extension_oid("sync_ext", true))
		found = NULL;
	return found;
}

/*
 * Drive a task from its beginning to its end in the current transaction, for a
 * handler that is called as any function is, with (queue_id bigint, payload
 * jsonb).  Returns what the handler returns.
 */
Datum
sync_queue_drive_plainly(const SyncDriver *driver, FunctionCallInfo fcinfo)
{
	SyncTask *task = palloc0(sizeof(SyncTask));
	void *volatile state = NULL;
	Datum *details = NULL;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("queue_id and payload must not be null"));
	task->queue_id = PG_GETARG_INT64(0);
	task->payload = PointerGetDatum(PG_GETARG_JSONB_P(1));
	task->run_as = GetUserId();
	task->attempt = task->max_attempts = 1;
	PG_TRY();
	{
		state = driver->begin(task);
		details = drive(driver, state);
	}
	PG_FINALLY();
	{
		if (state && driver->close)
			driver->close(state);
	}
	PG_END_TRY();
	if (task->failure)
	{
		task->failure->elevel = ERROR;
		ThrowErrorData(task->failure);
	}
	if (details == NULL)
		PG_RETURN_NULL();
	return *details;
}

/*
 * Take all steps of a task, and wait between them.
 */
static Datum *
drive(const SyncDriver *driver, void *state)
{
	for (;;)
	{
		int64 wait_ms = -1;

		CHECK_FOR_INTERRUPTS();
		switch (driver->step(state, &wait_ms))
		{
			case SYNC_DRIVE_DONE:
				return driver->finish(state);
			case SYNC_DRIVE_STORE:
				driver->store(state);
				break;
			case SYNC_DRIVE_WAIT:
				sync_http_wait((long) wait_ms);
		}
	}
}
