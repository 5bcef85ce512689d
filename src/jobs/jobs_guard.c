/*-------------------------------------------------------------------------
 *
 * jobs_guard.c
 *	  The path of a job, which every change of its row has to keep to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "jobs/jobs.h"
#include "kit/kit_trigger.h"

/* A step that a job takes */
typedef struct JobStep
{
	const char *from;
	const char *to;
} JobStep;

static const JobStep steps[] = {
	{"pending", "fetching"},
	{"fetching", "analyzing"},
	{"analyzing", "completed"},
	{"pending", "failed"},
	{"fetching", "failed"},
	{"analyzing", "failed"},
};

/* what was asked for, and by whom */
static const char *const fixed_columns[] = {
	"id",
	"user_id",
	"platform",
	"username",
	"months_requested",
	"created_at",
};

/* what says how far it has come */
static const char *const counters[] = {"games_found", "games_analyzed"};

static HeapTuple begin_job(TriggerData *trigger);
static HeapTuple change_job(TriggerData *trigger);
static void check_step(TriggerData *trigger, const char *from, const char *to);
static void check_counters(TriggerData *trigger);
static void check_fixed(TriggerData *trigger);
static const char *next_steps(const char *from);
static bool has_ended(const char *status);
static bool same(TriggerData *trigger, const char *column);

/*
 * Check a row of sync_jobs that is about to be written, and put the times into
 * it.  Returns the row to write.
 */
HeapTuple
sync_jobs_guard(TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_INSERT(trigger->tg_event)
			   ? begin_job(trigger)
			   : change_job(trigger);
}

/*
 * A job begins pending, now, and within the limits.  Who sees all jobs may put
 * one there that says it was created earlier, as a restore does.
 */
static HeapTuple
begin_job(TriggerData *trigger)
{
	static const char *const columns[] = {
		"created_at",
		"updated_at",
		"completed_at",
	};
	HeapTuple row = trigger->tg_trigtuple;
	Datum now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	Datum values[] = {now, now, (Datum) 0};
	bool nulls[] = {false, false, true};
	bool isnull;
	Datum created = sync_kit_trigger_value(trigger, row, "created_at", &isnull);
	char *status = sync_kit_trigger_text(trigger, row, "status");
	char *user = sync_kit_trigger_text(trigger, row, "user_id");

	if (!isnull && sync_jobs_sees_all() &&
		DatumGetTimestampTz(created) < DatumGetTimestampTz(now))
		return row;
	if (status && strcmp(status, "pending") != 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("a job cannot begin with status \"%s\"", status),
				errhint("It begins pending, and goes on to fetching, analyzing and completed."));
	if (user)
		sync_jobs_check_limits(user);
	return sync_kit_trigger_set(trigger,
								row,
								columns,
								values,
								nulls,
								lengthof(columns));
}

/*
 * A job takes its steps and counts upwards, and is left alone once it has
 * ended.
 */
static HeapTuple
change_job(TriggerData *trigger)
{
	static const char *const columns[] = {"updated_at", "completed_at"};
	HeapTuple row = trigger->tg_newtuple;
	char *from =
		sync_kit_trigger_text(trigger, trigger->tg_trigtuple, "status");
	char *to = sync_kit_trigger_text(trigger, row, "status");
	Datum values[] = {
		TimestampTzGetDatum(GetCurrentTimestamp()),
		TimestampTzGetDatum(GetCurrentTimestamp()),
	};
	bool nulls[] = {false, false};

	check_fixed(trigger);
	check_counters(trigger);
	if (to && strcmp(from, to) != 0)
		check_step(trigger, from, to);
	if (has_ended(from))
	{
		if (!same(trigger, "games_found") || !same(trigger, "games_analyzed") ||
			!same(trigger, "error"))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("job \"%s\" cannot change",
						   sync_kit_trigger_text(trigger, row, "id")),
					errdetail("It is %s.", from));
		for (int i = 0; i < lengthof(columns); i++)
			values[i] = sync_kit_trigger_value(trigger,
											   trigger->tg_trigtuple,
											   columns[i],
											   &nulls[i]);
	}
	else
		nulls[1] = to == NULL || !has_ended(to);
	return sync_kit_trigger_set(trigger,
								row,
								columns,
								values,
								nulls,
								lengthof(columns));
}

/*
 * Raise unless a job goes from one status to the other.
 */
static void
check_step(TriggerData *trigger, const char *from, const char *to)
{
	for (int i = 0; i < lengthof(steps); i++)
		if (strcmp(steps[i].from, from) == 0 && strcmp(steps[i].to, to) == 0)
			return;
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("job \"%s\" cannot go from \"%s\" to \"%s\"",
				   sync_kit_trigger_text(trigger, trigger->tg_newtuple, "id"),
				   from,
				   to),
			has_ended(from)
				? errdetail("It has ended.")
				: errdetail("From there it goes to %s.", next_steps(from)));
}

/*
 * Raise where a counter would go back.
 */
static void
check_counters(TriggerData *trigger)
{
	for (int i = 0; i < lengthof(counters); i++)
	{
		bool isnull;
		int before = DatumGetInt32(sync_kit_trigger_value(trigger,
														  trigger->tg_trigtuple,
														  counters[i],
														  &isnull));
		int after = DatumGetInt32(sync_kit_trigger_value(trigger,
														 trigger->tg_newtuple,
														 counters[i],
														 &isnull));

		if (!isnull && after < before)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("%s of job \"%s\" cannot go back from %d to %d",
						   counters[i],
						   sync_kit_trigger_text(trigger,
												 trigger->tg_newtuple,
												 "id"),
						   before,
						   after));
	}
}

/*
 * Raise where a job would become another one.
 */
static void
check_fixed(TriggerData *trigger)
{
	for (int i = 0; i < lengthof(fixed_columns); i++)
		if (!same(trigger, fixed_columns[i]))
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("%s of job \"%s\" cannot change",
						   fixed_columns[i],
						   sync_kit_trigger_text(trigger,
												 trigger->tg_trigtuple,
												 "id")),
					errhint("Create another job."));
}

/*
 * Where a job may go from a status, in words.
 */
static const char *
next_steps(const char *from)
{
	const char *list = NULL;

	for (int i = 0; i < lengthof(steps); i++)
		if (strcmp(steps[i].from, from) == 0)
			list = list ? psprintf("%s or %s", list, steps[i].to) : steps[i].to;
	return list;
}

/*
 * Whether that is the status of a job that has ended.
 */
static bool
has_ended(const char *status)
{
	return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0;
}

/*
 * Whether an update leaves a column as it is.
 */
static bool
same(TriggerData *trigger, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int number = get_attnum(RelationGetRelid(trigger->tg_relation), column);
	Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
	bool was_null;
	bool is_null;
	Datum before = sync_kit_trigger_value(trigger,
										  trigger->tg_trigtuple,
										  column,
										  &was_null);
	Datum after =
		sync_kit_trigger_value(trigger, trigger->tg_newtuple, column, &is_null);

	if (was_null || is_null)
		return was_null == is_null;
	return datum_image_eq(before, after, attribute->attbyval, attribute->attlen);
}
