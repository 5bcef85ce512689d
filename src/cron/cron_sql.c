/*-------------------------------------------------------------------------
 *
 * cron_sql.c
 *	  The SQL face of schedules: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "cron/cron.h"
#include "kit/kit_arguments.h"

PG_FUNCTION_INFO_V1(sync_sql_next_run);
PG_FUNCTION_INFO_V1(sync_sql_schedule);
PG_FUNCTION_INFO_V1(sync_sql_schedule_defaults);
PG_FUNCTION_INFO_V1(sync_sql_schedules);
PG_FUNCTION_INFO_V1(sync_sql_unschedule);

static const char *number_argument(FunctionCallInfo fcinfo, int i);
static void refuse(const char *name, const char *why);
static char *next_cell(char **schedule);

/*
 * sync_schedule(name text, schedule text, operation_type text, payload jsonb,
 *		timing_partner_id bigint, event_id bigint, provider_name text,
 *		sync_direction text, priority integer, command text) RETURNS void
 */
Datum
sync_sql_schedule(PG_FUNCTION_ARGS)
{
	const char *name = sync_kit_text_argument(fcinfo, 0);
	const char *schedule = sync_kit_text_argument(fcinfo, 1);
	const char *command = sync_kit_text_argument(fcinfo, 9);
	SyncScheduledTask task = {
		.operation_type = sync_kit_text_argument(fcinfo, 2),
		.timing_partner_id = number_argument(fcinfo, 4),
		.event_id = number_argument(fcinfo, 5),
		.provider_name = sync_kit_text_argument(fcinfo, 6),
		.sync_direction = sync_kit_text_argument(fcinfo, 7),
		.priority = PG_ARGISNULL(8) ? NULL : psprintf("%d", PG_GETARG_INT32(8)),
	};

	if (name == NULL || schedule == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("name and schedule must not be NULL"));
	if (!PG_ARGISNULL(3))
	{
		Jsonb *payload = PG_GETARG_JSONB_P(3);

		task.payload = JsonbToCString(NULL, &payload->root, VARSIZE(payload));
	}

	if (command == NULL && task.operation_type == NULL)
		refuse(name, "It is not said what to do.");
	if (command && (task.operation_type || task.payload || task.event_id ||
					task.timing_partner_id || task.provider_name ||
					task.sync_direction || task.priority))
		refuse(name, "It has both a command and what describes a task.");
	sync_cron_schedule(name,
					   schedule,
					   command ? command : sync_cron_compose(name, &task));
	PG_RETURN_VOID();
}

/*
 * sync_unschedule(name text) RETURNS void
 */
Datum
sync_sql_unschedule(PG_FUNCTION_ARGS)
{
	sync_cron_unschedule(sync_kit_text_argument(fcinfo, 0));
	PG_RETURN_VOID();
}

/*
 * sync_schedule_defaults() RETURNS SETOF text
 */
Datum
sync_sql_schedule_defaults(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(cell, sync_cron_schedule_defaults())
	{
		Datum name = CStringGetTextDatum(lfirst(cell));
		bool isnull = false;

		tuplestore_putvalues(info->setResult, info->setDesc, &name, &isnull);
	}
	return (Datum) 0;
}

/*
 * sync_schedules() RETURNS SETOF record
 */
Datum
sync_sql_schedules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	SyncRows *rows = sync_cron_schedules();
	AttInMetadata *input;

	InitMaterializedSRF(fcinfo, 0);
	input = TupleDescGetAttInMetadata(info->setDesc);
	for (int i = 0; i < rows->nrows; i++)
	{
		char *cells[SYNC_SCHEDULE_COLUMNS + 1];

		memcpy(cells, rows->rows[i], SYNC_SCHEDULE_COLUMNS * sizeof(char *));
		cells[SYNC_SCHEDULE_COLUMNS] = next_cell(cells);
		tuplestore_puttuple(info->setResult,
							BuildTupleFromCStrings(input, cells));
	}
	return (Datum) 0;
}

/*
 * sync_next_run(schedule text, after timestamptz) RETURNS timestamptz
 */
Datum
sync_sql_next_run(PG_FUNCTION_ARGS)
{
	SyncCronTimes times;
	TimestampTz next;

	sync_cron_parse(sync_kit_text_argument(fcinfo, 0), &times);
	if (!sync_cron_next(&times, PG_GETARG_TIMESTAMPTZ(1), &next))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(next);
}

/*
 * An argument of type bigint as text, NULL where it is NULL.
 */
static const char *
number_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : psprintf(INT64_FORMAT, PG_GETARG_INT64(i));
}

/*
 * Raise that a schedule cannot be as it is described.
 */
static void
refuse(const char *name, const char *why)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("schedule \"%s\" cannot be defined like this", name),
			errdetail_internal("%s", why),
			errhint("Give it an operation_type, to put a task into the queue, or a command to run."));
}

/*
 * When a schedule is due next, as a cell; NULL where it is not, or cannot be
 * told.  One in seconds counts from its last run.
 */
static char *
next_cell(char **schedule)
{
	const char *last_run = schedule[SYNC_SCHEDULE_LAST_RUN];
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz after = now;
	TimestampTz next;
	SyncCronTimes times;

	if (schedule[SYNC_SCHEDULE_ACTIVE][0] != 't' ||
		sync_cron_fault(schedule[SYNC_SCHEDULE_TIMES], &times))
		return NULL;
	if (times.every_s > 0 && last_run)
		after =
			DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
													CStringGetDatum(last_run),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	if (!sync_cron_next(&times, after, &next))
		return NULL;
	return pstrdup(timestamptz_to_str(Max(next, now)));
}
