/*-------------------------------------------------------------------------
 *
 * jobs_sql.c
 *	  The SQL face of jobs: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "history/history.h"
#include "jobs/jobs.h"
#include "kit/kit_arguments.h"

PG_FUNCTION_INFO_V1(sync_sql_active_jobs);
PG_FUNCTION_INFO_V1(sync_sql_create_job);
PG_FUNCTION_INFO_V1(sync_sql_job_compliance);
PG_FUNCTION_INFO_V1(sync_sql_job_user);
PG_FUNCTION_INFO_V1(sync_sql_jobs_guard);
PG_FUNCTION_INFO_V1(sync_sql_jobs_of);
PG_FUNCTION_INFO_V1(sync_sql_jobs_tell);
PG_FUNCTION_INFO_V1(sync_sql_set_job_progress);
PG_FUNCTION_INFO_V1(sync_sql_set_job_status);

static const char *id_argument(FunctionCallInfo fcinfo);
static const char *number_argument(FunctionCallInfo fcinfo, int i);
static Datum put_rows(FunctionCallInfo fcinfo, SyncRows *rows);
static TriggerData *trigger_data(FunctionCallInfo fcinfo, const char *name);

/*
 * sync_job_user() RETURNS text
 */
Datum
sync_sql_job_user(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(sync_jobs_user()));
}

/*
 * sync_create_job(platform text, username text, months_requested integer,
 *		user_id text) RETURNS uuid
 */
Datum
sync_sql_create_job(PG_FUNCTION_ARGS)
{
	const char *platform = sync_kit_text_argument(fcinfo, 0);
	const char *username = sync_kit_text_argument(fcinfo, 1);
	char *id;

	if (platform == NULL || username == NULL || PG_ARGISNULL(2))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("platform, username and months_requested must not be NULL"));
	if (platform[0] == '\0' || username[0] == '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("platform and username must not be empty"));
	if (PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("months_requested must be positive: %d",
					   PG_GETARG_INT32(2)));
	id = sync_jobs_create(platform,
						  username,
						  number_argument(fcinfo, 2),
						  sync_kit_text_argument(fcinfo, 3));
	return DirectFunctionCall1(uuid_in, CStringGetDatum(id));
}

/*
 * sync_set_job_status(id uuid, status text, error text) RETURNS void
 */
Datum
sync_sql_set_job_status(PG_FUNCTION_ARGS)
{
	const char *status = sync_kit_text_argument(fcinfo, 1);

	if (status == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("status must not be NULL"));
	sync_jobs_set_status(id_argument(fcinfo),
						 status,
						 sync_kit_text_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

/*
 * sync_set_job_progress(id uuid, games_found integer, games_analyzed integer)
 *		RETURNS void
 */
Datum
sync_sql_set_job_progress(PG_FUNCTION_ARGS)
{
	sync_jobs_set_progress(id_argument(fcinfo),
						   number_argument(fcinfo, 1),
						   number_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

/*
 * sync_jobs_of(user_id text) RETURNS SETOF sync_jobs
 */
Datum
sync_sql_jobs_of(PG_FUNCTION_ARGS)
{
	return put_rows(fcinfo, sync_jobs_of(sync_kit_text_argument(fcinfo, 0)));
}

/*
 * sync_active_jobs() RETURNS SETOF sync_jobs
 */
Datum
sync_sql_active_jobs(PG_FUNCTION_ARGS)
{
	return put_rows(fcinfo, sync_jobs_active());
}

/*
 * sync_job_compliance(since interval) RETURNS SETOF record
 */
Datum
sync_sql_job_compliance(PG_FUNCTION_ARGS)
{
	return put_rows(fcinfo,
					sync_history_without_job(DatumGetCString(
						DirectFunctionCall1(interval_out, PG_GETARG_DATUM(0)))));
}

/*
 * sync_jobs_guard() RETURNS trigger
 */
Datum
sync_sql_jobs_guard(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(sync_jobs_guard(trigger_data(fcinfo,
														"sync_jobs_guard")));
}

/*
 * sync_jobs_tell() RETURNS trigger
 */
Datum
sync_sql_jobs_tell(PG_FUNCTION_ARGS)
{
	sync_jobs_tell(trigger_data(fcinfo, "sync_jobs_tell"));
	return PointerGetDatum(NULL);
}

/*
 * The id of a job, which is the first argument, as text.
 */
static const char *
id_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("id must not be NULL"));
	return DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));
}

/*
 * An argument of type integer as text, NULL where it is NULL.
 */
static const char *
number_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : psprintf("%d", PG_GETARG_INT32(i));
}

/*
 * Let a function return rows.
 */
static Datum
put_rows(FunctionCallInfo fcinfo, SyncRows *rows)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	AttInMetadata *input;

	InitMaterializedSRF(fcinfo, 0);
	input = TupleDescGetAttInMetadata(info->setDesc);
	for (int i = 0; i < rows->nrows; i++)
		tuplestore_puttuple(info->setResult,
							BuildTupleFromCStrings(input, rows->rows[i]));
	return (Datum) 0;
}

/*
 * What a trigger is told.  Raises where the function is called as anything
 * else, or on another table.
 */
static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		strcmp(RelationGetRelationName(trigger->tg_relation), "sync_jobs") != 0)
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function %s() can be called only as a row trigger of sync_jobs",
					   name));
	return trigger;
}
