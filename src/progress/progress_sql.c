/*-------------------------------------------------------------------------
 *
 * progress_sql.c
 *	  The SQL face of progress: arguments in, rows out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "kit/kit_arguments.h"
#include "kit/kit_result.h"
#include "progress/progress.h"

PG_FUNCTION_INFO_V1(sync_sql_progress);
PG_FUNCTION_INFO_V1(sync_sql_progress_analyze);
PG_FUNCTION_INFO_V1(sync_sql_progress_drift);
PG_FUNCTION_INFO_V1(sync_sql_progress_note);
PG_FUNCTION_INFO_V1(sync_sql_progress_rules_check);
PG_FUNCTION_INFO_V1(sync_sql_track_progress);
PG_FUNCTION_INFO_V1(sync_sql_untrack_progress);

static void put_line(void *arg, const char *line);
static TriggerData *trigger_data(FunctionCallInfo fcinfo, const char *name);

/*
 * sync_progress(dry_run boolean, competition text, environment text,
 *				 rule text, full boolean, max_details integer)
 *		RETURNS SETOF text
 */
Datum
sync_sql_progress(PG_FUNCTION_ARGS)
{
	SyncProgressRequest request = {
		.dry_run = PG_ARGISNULL(0) || PG_GETARG_BOOL(0),
		.competition = sync_kit_text_argument(fcinfo, 1),
		.environment = sync_kit_text_argument(fcinfo, 2),
		.rule = sync_kit_text_argument(fcinfo, 3),
		.full = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4),
		.max_details = PG_ARGISNULL(5) ? PG_INT32_MAX : PG_GETARG_INT32(5),
	};
	SyncResult *result;

	if (request.max_details < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_details must not be negative: %d",
					   request.max_details),
				errhint("0 leaves the summary alone, NULL lists every change."));
	result = sync_kit_result_start(fcinfo, true);
	sync_progress_run(&request, put_line, result);
	return (Datum) 0;
}

/*
 * sync_progress_drift(competition text, rule text, environment text)
 *		RETURNS SETOF record
 */
Datum
sync_sql_progress_drift(PG_FUNCTION_ARGS)
{
	SyncProgressRequest request = {
		.dry_run = true,
		.competition = sync_kit_text_argument(fcinfo, 0),
		.rule = sync_kit_text_argument(fcinfo, 1),
		.environment = sync_kit_text_argument(fcinfo, 2),
	};

	sync_progress_drift(&request,
						sync_kit_result_put,
						sync_kit_result_start(fcinfo, false));
	return (Datum) 0;
}

/*
 * sync_progress_analyze(environment text) RETURNS SETOF text
 */
Datum
sync_sql_progress_analyze(PG_FUNCTION_ARGS)
{
	sync_progress_analyze(sync_kit_text_argument(fcinfo, 0),
						  put_line,
						  sync_kit_result_start(fcinfo, true));
	return (Datum) 0;
}

/*
 * sync_track_progress(rule text) RETURNS void
 */
Datum
sync_sql_track_progress(PG_FUNCTION_ARGS)
{
	sync_progress_track(sync_kit_text_argument(fcinfo, 0));
	PG_RETURN_VOID();
}

/*
 * sync_untrack_progress(rule text) RETURNS void
 */
Datum
sync_sql_untrack_progress(PG_FUNCTION_ARGS)
{
	sync_progress_untrack(sync_kit_text_argument(fcinfo, 0));
	PG_RETURN_VOID();
}

/*
 * sync_progress_note() RETURNS trigger
 */
Datum
sync_sql_progress_note(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "sync_progress_note");

	if (!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs < 2 ||
		trigger->tg_trigger->tgnargs > INDEX_MAX_KEYS + 1 ||
		(trigger->tg_newtable == NULL &&
		 (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		  TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))) ||
		(trigger->tg_oldtable == NULL &&
		 (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		  TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("trigger \"%s\" was not made by sync_track_progress()",
					   trigger->tg_trigger->tgname));
	sync_progress_note(trigger);
	return PointerGetDatum(NULL);
}

/*
 * sync_progress_rules_check() RETURNS trigger
 */
Datum
sync_sql_progress_rules_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "sync_progress_rules_check");

	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		strcmp(RelationGetRelationName(trigger->tg_relation),
			   "sync_progress_rules") != 0)
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("trigger \"%s\" cannot be on table \"%s\"",
					   trigger->tg_trigger->tgname,
					   RelationGetRelationName(trigger->tg_relation)));
	return PointerGetDatum(sync_progress_check_rule(trigger));
}

/*
 * Put one line into the result; a SyncLineSink.
 */
static void
put_line(void *arg, const char *line)
{
	sync_kit_result_put(arg, 1, (char **) &line);
}

/*
 * What a trigger function was called with.  Raises where it was not called as
 * one.
 */
static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("function %s() can be called only as a trigger", name));
	return (TriggerData *) fcinfo->context;
}
