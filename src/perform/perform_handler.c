/*-------------------------------------------------------------------------
 *
 * perform_handler.c
 *	  The function that performs tasks of an operation type: finding it and
 *	  calling it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "kit/kit_compat.h"
#include "perform/perform.h"
#include "queue/queue_driver.h"

/* A handler, as it is called for one role */
typedef struct Handler
{
	const SyncOperation *operation;
	Oid run_as;
	FmgrInfo function;
	int nargs;
	bool takes_id; /* its first argument */
	Oid returns;
} Handler;

/* Handler, found in this transaction; they lie in its context */
static List *handlers = NIL;

static Handler *find_handler(SyncTask *task);
static void look_up(Handler *handler);
static void check_signature(Handler *handler, Form_pg_proc function);

/*
 * Forget handlers of transactions before this one.
 */
void
sync_perform_forget_handlers(void)
{
	handlers = NIL;
}

/*
 * Call the handler of a task, as its role, which is the current user.  Returns
 * what it returned, where that is json or jsonb, in the current memory context,
 * else NULL.  A SyncAct.
 */
Datum *
sync_perform_call(SyncTask *task, void *unused)
{
	LOCAL_FCINFO(fcinfo, 2);
	Handler *handler = find_handler(task);
	Datum values[] = {Int64GetDatum(task->queue_id), task->payload};
	Datum returned;
	Datum *details;

	InitFunctionCallInfoData(*fcinfo,
							 &handler->function,
							 handler->nargs,
							 InvalidOid,
							 NULL,
							 NULL);
	for (int i = 0; i < handler->nargs; i++)
	{
		fcinfo->args[i].value = values[handler->takes_id ? i : 1];
		fcinfo->args[i].isnull = false;
	}
	returned = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull ||
		(handler->returns != JSONBOID && handler->returns != JSONOID))
		return NULL;

	details = palloc(sizeof(Datum));
	*details =
		handler->returns == JSONBOID
			? PointerGetDatum(DatumGetJsonbPCopy(returned))
			: DirectFunctionCall1(jsonb_in,
								  CStringGetDatum(TextDatumGetCString(returned)));
	return details;
}

/*
 * Raise unless the handler of a task may be called by its role, and is still the
 * one that the driver belongs to.
 */
void
sync_perform_check_driver(SyncTask *task, const SyncDriver *driver)
{
	Handler *handler = find_handler(task);

	if (sync_queue_find_driver(handler->function.fn_oid) != driver)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the handler of operation type \"%s\" has changed",
					   task->operation_type));
}

/*
 * The handler of a task.  Raises where its role may not call it.
 */
static Handler *
find_handler(SyncTask *task)
{
	MemoryContext caller;
	Handler *handler;
	ListCell *cell;

	if (task->operation == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("operation type \"%s\" does not exist",
					   task->operation_type),
				errhint("Insert it into sync_operation_types, and use sync_retry()."));
	foreach(cell, handlers)
	{
		handler = lfirst(cell);
		if (handler->operation == task->operation &&
			handler->run_as == task->run_as)
			return handler;
	}

	caller = MemoryContextSwitchTo(TopTransactionContext);
	handler = palloc0(sizeof(Handler));
	handler->operation = task->operation;
	handler->run_as = task->run_as;
	look_up(handler);
	handlers = lappend(handlers, handler);
	MemoryContextSwitchTo(caller);
	return handler;
}

/*
 * Look the function up.
 */
static void
look_up(Handler *handler)
{
	Oid function =
		DatumGetObjectId(DirectFunctionCall1(regprocedurein,
											 CStringGetDatum(handler->operation
																 ->handler)));
	HeapTuple tuple;

	sync_compat_check_function_execute(function);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	check_signature(handler, (Form_pg_proc) GETSTRUCT(tuple));
	ReleaseSysCache(tuple);
	fmgr_info_cxt(function, &handler->function, TopTransactionContext);
}

/*
 * Raise unless it is a function that can be called for a task.
 */
static void
check_signature(Handler *handler, Form_pg_proc function)
{
	Oid *types = function->proargtypes.values;
	int nargs = function->pronargs;
	bool fits = nargs == 0 || (nargs == 1 && types[0] == JSONBOID) ||
				(nargs == 1 && types[0] == INT8OID) ||
				(nargs == 2 && types[0] == INT8OID && types[1] == JSONBOID);

	if (!fits || function->prokind != PROKIND_FUNCTION || function->proretset)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				errmsg("function %s cannot be the handler of operation type \"%s\"",
					   handler->operation->handler,
					   handler->operation->name),
				errdetail("A handler is a function of (jsonb), (bigint), (bigint, jsonb) or (), and returns no set."));
	handler->nargs = nargs;
	handler->takes_id = nargs > 0 && types[0] == INT8OID;
	handler->returns = function->prorettype;
}
