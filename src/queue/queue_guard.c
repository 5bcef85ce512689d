/*-------------------------------------------------------------------------
 *
 * queue_guard.c
 *	  The triggers of sync_queue: whoever writes into it, by whatever SQL, does
 *	  it by these rules.
 *
 * A new task is stamped with its role and its lane, and offered at commit, or,
 * where it waits for others, announced.
 * Only whoever could become the role that a task runs as may touch it: to
 * change the payload of another's task would be to act with its rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "kit/kit_ident.h"
#include "queue/queue_row.h"

/* A row that is about to be written, column by column */
typedef struct GuardedRow
{
	TupleDesc desc;
	SyncQueueColumns columns;
	Datum values[SYNC_QUEUE_NCOLUMNS];
	bool nulls[SYNC_QUEUE_NCOLUMNS];
} GuardedRow;

/* what nobody changes by hand */
static const SyncQueueColumn fixed[] = {
	SYNC_QUEUE_QUEUE_ID,
	SYNC_QUEUE_ATTEMPT,
	SYNC_QUEUE_RUN_AS,
	SYNC_QUEUE_LEASE_UNTIL,
	SYNC_QUEUE_WORKER_PID,
	SYNC_QUEUE_WAITING_ON,
};

/* what decides whether a task waits, and for what */
static const SyncQueueColumn deciding[] = {
	SYNC_QUEUE_AFTER,
	SYNC_QUEUE_AFTER_GROUP,
	SYNC_QUEUE_RUN_AS,
};

/* what is written into a row before it goes into the table */
static const SyncQueueColumn stamped[] = {
	SYNC_QUEUE_RUN_AS,
	SYNC_QUEUE_LANE,
	SYNC_QUEUE_STATUS,
	SYNC_QUEUE_AFTER,
	SYNC_QUEUE_WAITING_ON,
};

static bool engine = false; /* the statement at work is one of our own */

static void read_row(GuardedRow *row, HeapTuple tuple, TupleDesc desc);
static bool is_null(const GuardedRow *row, SyncQueueColumn column);
static SyncTaskStatus status_of(const GuardedRow *row);
static void check_owner(const GuardedRow *row);
static bool is_trusted(void);
static void check_insert(GuardedRow *row);
static void check_number(const GuardedRow *row);
static void check_update(GuardedRow *row, const GuardedRow *old);
static bool is_same(const GuardedRow *row,
					const GuardedRow *old,
					SyncQueueColumn column);
static HeapTuple stamp(GuardedRow *row, const GuardedRow *old, HeapTuple tuple);
static void set_lane(GuardedRow *row);
static void check_waits(const GuardedRow *row);
static char *text_of(const GuardedRow *row, SyncQueueColumn column);
static bool set_waiting(GuardedRow *row, const GuardedRow *old);
static void set(GuardedRow *row, SyncQueueColumn column, Datum value);
static void offer_row(const GuardedRow *row);

/*
 * Let our own statements take steps that nobody takes by hand, until
 * sync_queue_engine_leave, which is to be called on every path.  Returns what
 * it has to be given.
 */
bool
sync_queue_engine_enter(void)
{
	bool before = engine;

	engine = true;
	return before;
}

/*
 * The statement is done, or has raised.
 */
void
sync_queue_engine_leave(bool before)
{
	engine = before;
}

/*
 * Whether the statement that is being executed is one of our own.
 */
bool
sync_queue_at_work(void)
{
	return engine;
}

/*
 * Check and complete a row that is about to be written; the trigger
 * sync_queue_guard.
 */
HeapTuple
sync_queue_guard(TriggerData *trigger)
{
	GuardedRow row;
	GuardedRow old;

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot truncate sync_queue"),
				errdetail("History would not know what became of its tasks."),
				errhint("DELETE those that are pending."));

	read_row(&old,
			 trigger->tg_trigtuple,
			 RelationGetDescr(trigger->tg_relation));
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		check_insert(&old);
		return stamp(&old, NULL, trigger->tg_trigtuple);
	}
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		check_owner(&old);
		sync_queue_check_step(status_of(&old), SYNC_TASK_NONE, engine);
		return trigger->tg_trigtuple;
	}
	read_row(&row, trigger->tg_newtuple, RelationGetDescr(trigger->tg_relation));
	check_update(&row, &old);
	return stamp(&row, &old, trigger->tg_newtuple);
}

/*
 * Read the columns of a row.
 */
static void
read_row(GuardedRow *row, HeapTuple tuple, TupleDesc desc)
{
	Datum values[MaxHeapAttributeNumber];
	bool nulls[MaxHeapAttributeNumber];

	row->desc = desc;
	sync_queue_find_columns(desc, &row->columns);
	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < SYNC_QUEUE_NCOLUMNS; i++)
	{
		row->values[i] = values[row->columns.number[i] - 1];
		row->nulls[i] = nulls[row->columns.number[i] - 1];
	}
}

/*
 * Has the row no value there?
 */
static bool
is_null(const GuardedRow *row, SyncQueueColumn column)
{
	return row->nulls[column];
}

/*
 * The state that a row says its task is in.
 */
static SyncTaskStatus
status_of(const GuardedRow *row)
{
	return is_null(row, SYNC_QUEUE_STATUS)
			   ? SYNC_TASK_PENDING
			   : sync_queue_status(TextDatumGetCString(row->values
														   [SYNC_QUEUE_STATUS]));
}

/*
 * Raise unless the current user may become the role that a task runs as.
 */
static void
check_owner(const GuardedRow *row)
{
	Oid run_as = DatumGetObjectId(row->values[SYNC_QUEUE_RUN_AS]);

	if (engine || is_trusted() || is_member_of_role(GetUserId(), run_as))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied for task " INT64_FORMAT,
				   DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID])),
			errdetail("It runs as another role, of which \"%s\" is no member.",
					  GetUserNameFromId(GetUserId(), false)));
}

/*
 * May the current user say what it likes of a task?
 */
static bool
is_trusted(void)
{
	return superuser() || GetUserId() == sync_kit_extension_owner();
}

/*
 * Check a new task.  One that is said to run as somebody comes from a dump, or
 * from ourselves, and may have been tried and be running.
 */
static void
check_insert(GuardedRow *row)
{
	bool restored = !is_null(row, SYNC_QUEUE_RUN_AS) && is_trusted();
	SyncTaskStatus status = status_of(row);
	char *name;

	if (is_null(row, SYNC_QUEUE_RUN_AS))
		set(row, SYNC_QUEUE_RUN_AS, ObjectIdGetDatum(GetUserId()));
	if (restored && !engine)
		return;
	sync_queue_check_step(SYNC_TASK_NONE, status, false);
	check_owner(row);
	if (DatumGetInt32(row->values[SYNC_QUEUE_ATTEMPT]) != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a new task cannot have been attempted"));
	if (!engine && !is_trusted())
		check_number(row);
	if (is_null(row, SYNC_QUEUE_OPERATION_TYPE))
		return; /* NOT NULL says it better */
	name = TextDatumGetCString(row->values[SYNC_QUEUE_OPERATION_TYPE]);
	if (sync_queue_operation(name) == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("operation type \"%s\" does not exist", name),
				errhint("Insert it into sync_operation_types."));
}

/*
 * Raise where a new task has a number that was not handed out yet: it would be
 * in the way of whoever gets that.
 */
static void
check_number(const GuardedRow *row)
{
	LOCAL_FCINFO(fcinfo, 1);
	Oid sequence = get_relname_relid("sync_queue_queue_id_seq",
									 sync_kit_extension_schema());
	Oid caller;
	int security;
	Datum last;

	if (is_null(row, SYNC_QUEUE_QUEUE_ID))
		return; /* NOT NULL says it better */
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(sequence);
	fcinfo->args[0].isnull = false;
	/* an error sets the user back, too */
	GetUserIdAndSecContext(&caller, &security);
	SetUserIdAndSecContext(sync_kit_extension_owner(),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	last = pg_sequence_last_value(fcinfo);
	SetUserIdAndSecContext(caller, security);
	if (!fcinfo->isnull &&
		DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID]) > 0 &&
		DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID]) <= DatumGetInt64(last))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("task " INT64_FORMAT " has a number that was not handed out",
				   DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID])),
			errhint("Leave \"queue_id\" out."));
}

/*
 * Check a change of a task.
 */
static void
check_update(GuardedRow *row, const GuardedRow *old)
{
	check_owner(old);
	sync_queue_check_step(status_of(old), status_of(row), engine);
	if (engine)
		return;
	for (int i = 0; i < lengthof(fixed); i++)
	{
		if (is_same(row, old, fixed[i]))
			continue;
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot change \"%s\" of a task",
					   NameStr(TupleDescAttr(row->desc,
											 row->columns.number[fixed[i]] - 1)
								   ->attname)),
				errdetail("Task " INT64_FORMAT ".",
						  DatumGetInt64(old->values[SYNC_QUEUE_QUEUE_ID])));
	}
}

/*
 * Is there the same value in a column?
 */
static bool
is_same(const GuardedRow *row, const GuardedRow *old, SyncQueueColumn column)
{
	Form_pg_attribute attribute =
		TupleDescAttr(row->desc, row->columns.number[column] - 1);

	return row->nulls[column] == old->nulls[column] &&
		   (row->nulls[column] || datumIsEqual(row->values[column],
											   old->values[column],
											   attribute->attbyval,
											   attribute->attlen));
}

/*
 * Write the role, the lane and whether it waits into a row, and have it offered.
 * "old" is the row before, or NULL where it is new.
 */
static HeapTuple
stamp(GuardedRow *row, const GuardedRow *old, HeapTuple tuple)
{
	int numbers[lengthof(stamped)];
	Datum values[lengthof(stamped)];
	bool nulls[lengthof(stamped)];

	set_lane(row);
	if (set_waiting(row, old))
		sync_queue_announce_at_commit();
	else if (status_of(row) == SYNC_TASK_PENDING)
		offer_row(row);

	for (int i = 0; i < lengthof(stamped); i++)
	{
		numbers[i] = row->columns.number[stamped[i]];
		values[i] = row->values[stamped[i]];
		nulls[i] = row->nulls[stamped[i]];
	}
	return heap_modify_tuple_by_cols(tuple,
									 row->desc,
									 lengthof(stamped),
									 numbers,
									 values,
									 nulls);
}

/*
 * Compute the lane of a row.
 */
static void
set_lane(GuardedRow *row)
{
	StringInfoData key;

	initStringInfo(&key);
	if (!is_null(row, SYNC_QUEUE_TIMING_PARTNER_ID))
		appendStringInfo(&key,
						 INT64_FORMAT,
						 DatumGetInt64(row->values[SYNC_QUEUE_TIMING_PARTNER_ID]));
	appendStringInfoChar(&key, '\n');
	if (!is_null(row, SYNC_QUEUE_PROVIDER_NAME))
		appendStringInfoString(&key,
							   TextDatumGetCString(row->values
													   [SYNC_QUEUE_PROVIDER_NAME]));
	appendStringInfoChar(&key, '\n');
	if (!is_null(row, SYNC_QUEUE_OPERATION_TYPE))
		appendStringInfoString(&key,
							   TextDatumGetCString(row->values
													   [SYNC_QUEUE_OPERATION_TYPE]));
	set(row,
		SYNC_QUEUE_LANE,
		UInt64GetDatum(hash_bytes_extended((unsigned char *) key.data,
										   key.len,
										   0)));
}

/*
 * Check the words that say how a task waits.  What is not checked by constraints
 * costs nothing where it is not said.
 */
static void
check_waits(const GuardedRow *row)
{
	char *word = text_of(row, SYNC_QUEUE_ON_FAILURE);
	char *own = text_of(row, SYNC_QUEUE_TASK_GROUP);
	char *other = text_of(row, SYNC_QUEUE_AFTER_GROUP);

	if (word && strcmp(word, "fail") != 0 && strcmp(word, "run") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unrecognized value for on_failure: \"%s\"", word),
				errhint("It is fail or run."));
	if ((own && own[0] == '\0') || (other && other[0] == '\0'))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the name of a group must not be empty"));
	if (own && other && strcmp(own, other) == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a task of group \"%s\" cannot wait for that group",
					   own));
}

/*
 * The text in a column, or NULL.
 */
static char *
text_of(const GuardedRow *row, SyncQueueColumn column)
{
	return is_null(row, column) ? NULL
								: TextDatumGetCString(row->values[column]);
}

/*
 * A task that is to wait for others is waiting, and one that is not, is not:
 * have a row say so.  Returns whether somebody has to find out what holds it.
 */
static bool
set_waiting(GuardedRow *row, const GuardedRow *old)
{
	SyncTaskStatus status = status_of(row);
	bool waits;
	bool decided = old != NULL;

	check_waits(row);
	if (!is_null(row, SYNC_QUEUE_AFTER) && !is_null(row, SYNC_QUEUE_QUEUE_ID) &&
		sync_queue_check_after(DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID]),
							   row->values[SYNC_QUEUE_AFTER]) == 0)
		row->nulls[SYNC_QUEUE_AFTER] = true;
	waits = !is_null(row, SYNC_QUEUE_AFTER) ||
			!is_null(row, SYNC_QUEUE_AFTER_GROUP);
	if (waits && status == SYNC_TASK_RUNNING)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("task " INT64_FORMAT
					   " is running, and can wait for nothing",
					   DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID])));
	if (waits && status == SYNC_TASK_PENDING)
		set(row, SYNC_QUEUE_STATUS, CStringGetTextDatum("waiting"));
	else if (!waits && status == SYNC_TASK_WAITING)
		set(row, SYNC_QUEUE_STATUS, CStringGetTextDatum("pending"));
	if (status_of(row) != SYNC_TASK_WAITING)
	{
		row->nulls[SYNC_QUEUE_WAITING_ON] = true;
		return false;
	}
	for (int i = 0; i < lengthof(deciding) && decided; i++)
		decided = is_same(row, old, deciding[i]);
	if (!decided || is_null(row, SYNC_QUEUE_WAITING_ON))
		set(row, SYNC_QUEUE_WAITING_ON, Int64GetDatum(0));
	return DatumGetInt64(row->values[SYNC_QUEUE_WAITING_ON]) == 0;
}

/*
 * Let a row have a value in a column.
 */
static void
set(GuardedRow *row, SyncQueueColumn column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/*
 * Offer the task of a row at commit.
 */
static void
offer_row(const GuardedRow *row)
{
	SyncOffer offer;

	if (is_null(row, SYNC_QUEUE_PRIORITY) ||
		is_null(row, SYNC_QUEUE_SCHEDULED_TIME) ||
		is_null(row, SYNC_QUEUE_QUEUE_ID))
		return; /* NOT NULL will refuse it */
	offer.priority = DatumGetInt32(row->values[SYNC_QUEUE_PRIORITY]);
	offer.lane = DatumGetInt64(row->values[SYNC_QUEUE_LANE]);
	offer.place.time =
		DatumGetTimestampTz(row->values[SYNC_QUEUE_SCHEDULED_TIME]);
	offer.place.id = DatumGetInt64(row->values[SYNC_QUEUE_QUEUE_ID]);
	sync_queue_offer_at_commit(&offer);
}
