/*-------------------------------------------------------------------------
 *
 * push_sql.c
 *	  The SQL face of pushes: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "kit/kit_arguments.h"
#include "kit/kit_result.h"
#include "kit/kit_spi.h"
#include "push/push.h"

/* what sync_push shows */
#define COUNTS 10

PG_FUNCTION_INFO_V1(sync_sql_create_push);
PG_FUNCTION_INFO_V1(sync_sql_drop_push);
PG_FUNCTION_INFO_V1(sync_sql_push);
PG_FUNCTION_INFO_V1(sync_sql_push_diff);
PG_FUNCTION_INFO_V1(sync_sql_resolve_push);
PG_FUNCTION_INFO_V1(sync_sql_task_push);

static JsonbValue *json_argument(FunctionCallInfo fcinfo, int i);
static const int64 *tenant_argument(FunctionCallInfo fcinfo, int i);
static bool may_commit(FunctionCallInfo fcinfo);
static Datum counts_row(FunctionCallInfo fcinfo, SyncPushing *pushing);

/*
 * sync_create_push(name text, endpoint text, query text, key text[],
 *		params jsonb, param_columns jsonb, tenant_column text,
 *		not_sent text[], update_endpoint text, delete_endpoint text,
 *		batch_size integer, max_delete_share numeric) RETURNS void
 */
Datum
sync_sql_create_push(PG_FUNCTION_ARGS)
{
	SyncPush push = {0};

	push.name = sync_kit_text_argument(fcinfo, 0);
	if (push.name == NULL || push.name[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a push must have a name"));
	push.endpoints[SYNC_PUSH_CREATE] = sync_kit_text_argument(fcinfo, 1);
	push.query = sync_kit_text_argument(fcinfo, 2);
	push.key = sync_kit_texts_argument(fcinfo, 3, "key");
	push.params = json_argument(fcinfo, 4);
	push.columns = json_argument(fcinfo, 5);
	push.tenant = sync_kit_text_argument(fcinfo, 6);
	push.not_sent = sync_kit_texts_argument(fcinfo, 7, "not_sent");
	push.endpoints[SYNC_PUSH_UPDATE] = sync_kit_text_argument(fcinfo, 8);
	push.endpoints[SYNC_PUSH_DELETE] = sync_kit_text_argument(fcinfo, 9);
	push.batch_size = PG_ARGISNULL(10) ? 0 : PG_GETARG_INT32(10);
	if (!PG_ARGISNULL(10) && push.batch_size < 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("batch_size must be at least 1: %d", push.batch_size));
	push.max_delete_share =
		PG_ARGISNULL(11)
			? 0.5
			: DatumGetFloat8(DirectFunctionCall1(numeric_float8,
												 PG_GETARG_DATUM(11)));
	sync_push_create(&push);
	PG_RETURN_VOID();
}

/*
 * sync_drop_push(name text, forget boolean) RETURNS void
 */
Datum
sync_sql_drop_push(PG_FUNCTION_ARGS)
{
	sync_push_drop(sync_kit_text_argument(fcinfo, 0), PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}

/*
 * sync_push(name text, dry_run boolean, timing_partner_id bigint, and what it
 *		shows)
 */
Datum
sync_sql_push(PG_FUNCTION_ARGS)
{
	bool dry_run = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	const int64 *tenant = tenant_argument(fcinfo, 2);
	SyncPush *push = sync_push_load(sync_kit_text_argument(fcinfo, 0));
	SyncPushing *pushing = sync_push_new(push, tenant);

	if (dry_run)
	{
		sync_push_dry(pushing);
		return counts_row(fcinfo, pushing);
	}
	if (!may_commit(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("sync_push cannot run inside a transaction block"),
				errdetail("It commits which rows are about to be sent before it sends them."),
				errhint("CALL it by itself, outside of BEGIN and of functions, or enqueue a task of type push."));
	sync_kit_spi_begin_commits();
	sync_push_in_session(pushing);
	sync_kit_spi_end_commits();
	return counts_row(fcinfo, pushing);
}

/*
 * sync_push_diff(name text, max_rows integer, timing_partner_id bigint)
 *		RETURNS SETOF record
 */
Datum
sync_sql_push_diff(PG_FUNCTION_ARGS)
{
	const int64 *tenant = tenant_argument(fcinfo, 2);
	SyncPush *push = sync_push_load(sync_kit_text_argument(fcinfo, 0));
	int max_rows = PG_ARGISNULL(1) ? PG_INT32_MAX : PG_GETARG_INT32(1);

	if (max_rows < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_rows must not be negative: %d", max_rows));
	sync_push_diff(sync_push_new(push, tenant),
				   max_rows,
				   sync_kit_result_put,
				   sync_kit_result_start(fcinfo, false));
	return (Datum) 0;
}

/*
 * sync_resolve_push(name text, key jsonb, outcome text, remote_id text,
 *		timing_partner_id bigint) RETURNS bigint
 */
Datum
sync_sql_resolve_push(PG_FUNCTION_ARGS)
{
	const char *name = sync_kit_text_argument(fcinfo, 0);
	JsonbValue *key = json_argument(fcinfo, 1);
	const char *outcome = sync_kit_text_argument(fcinfo, 2);
	const int64 *tenant = tenant_argument(fcinfo, 4);
	bool pushed = outcome && strcmp(outcome, "pushed") == 0;

	(void) sync_push_load(name);
	if (!pushed && (!outcome || strcmp(outcome, "not_pushed") != 0))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unrecognized outcome of push \"%s\": \"%s\"",
					   name,
					   outcome ? outcome : "NULL"),
				errhint("It is one of pushed, not_pushed."));
	PG_RETURN_INT64(sync_push_resolve(name,
									  sync_kit_json_text(key),
									  pushed,
									  sync_kit_text_argument(fcinfo, 3),
									  tenant));
}

/*
 * sync_task_push(queue_id bigint, payload jsonb) RETURNS jsonb
 *
 * Whoever is not the queue calls it in a transaction that is not its own to
 * commit.
 */
Datum
sync_sql_task_push(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("sync_task_push cannot be called by itself"),
			errdetail("A push commits which rows are about to be sent before it sends them."),
			errhint("CALL sync_push, or enqueue a task of type push."));
	PG_RETURN_NULL();
}

/*
 * An argument of type jsonb, NULL where it is NULL.
 */
static JsonbValue *
json_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL
						   : sync_kit_json_value(PG_GETARG_JSONB_P_COPY(i));
}

/*
 * An argument of type bigint that names a tenant, NULL where it is NULL.
 */
static const int64 *
tenant_argument(FunctionCallInfo fcinfo, int i)
{
	int64 *tenant;

	if (PG_ARGISNULL(i))
		return NULL;
	tenant = palloc(sizeof(int64));
	*tenant = PG_GETARG_INT64(i);
	return tenant;
}

/*
 * Is a commit the procedure's to make?
 */
static bool
may_commit(FunctionCallInfo fcinfo)
{
	CallContext *call = (CallContext *) fcinfo->context;

	return call && IsA(call, CallContext) && !call->atomic;
}

/*
 * What came of a push, as the row that the procedure shows.
 */
static Datum
counts_row(FunctionCallInfo fcinfo, SyncPushing *pushing)
{
	SyncRun *run = &pushing->run;
	bool nulls[COUNTS] = {false};
	TupleDesc desc;
	Datum values[] = {
		Int64GetDatum(run->rows_read),
		Int64GetDatum(run->inserted),
		Int64GetDatum(run->updated),
		Int64GetDatum(run->unchanged),
		Int64GetDatum(run->deleted),
		Int64GetDatum(run->rejected),
		Int64GetDatum(pushing->unknown),
		Int64GetDatum(pushing->requests),
		Int64GetDatum(run->bytes),
		DirectFunctionCall2(timestamp_mi,
							TimestampTzGetDatum(GetCurrentTimestamp()),
							TimestampTzGetDatum(run->started_at)),
	};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
											 values,
											 nulls));
}
