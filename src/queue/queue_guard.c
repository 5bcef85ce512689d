/*-------------------------------------------------------------------------
 *
 * queue_guard.c
 *	  The triggers of sync_queue: whoever writes into it, by whatever SQL, does
 *	  it by these rules.
 *
 * A new task is stamped with its role and its lane, and offered at commit.
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
};

static bool engine = false; /* the statement at work is one of our own */

static void read_row(GuardedRow *row, HeapTuple tuple, TupleDesc desc);
static bool is_null(const GuardedRow *row, SyncQueueColumn column);
static SyncTaskStatus status_of(const GuardedRow *row);
static void check_owner(const GuardedRow *row);
static bool is_trusted(void);
static void check_insert(GuardedRow *row);
static void check_update(GuardedRow *row, const GuardedRow *old);
static HeapTuple stamp(GuardedRow *row, HeapTuple tuple);
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
		return stamp(&old, trigger->tg_trigtuple);
	}
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		check_owner(&old);
		sync_queue_check_step(status_of(&old), SYNC_TASK_NONE, engine);
		return trigger->tg_trigtuple;
	}
	read_row(&row, trigger->tg_newtuple, RelationGetDescr(trigger->tg_relation));
	check_update(&row, &old);
	return stamp(&row, trigger->tg_newtuple);
}

/*
 * Read the columns of a row.
 */
static void
read_row(GuardedRow *row, HeapTuple tuple, TupleDesc desc)
{
	row->desc = desc;
	sync_queue_find_columns(desc, &row->columns);
	for (int i = 0; i < SYNC_QUEUE_NCOLUMNS; i++)
		row->values[i] =
			heap_getattr(tuple, row->columns.number[i], desc, &row->nulls[i]);
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
	{
		row->values[SYNC_QUEUE_RUN_AS] = ObjectIdGetDatum(GetUserId());
		row->nulls[SYNC_QUEUE_RUN_AS] = false;
	}
	if (restored && !engine)
		return;
	sync_queue_check_step(SYNC_TASK_NONE, status, false);
	check_owner(row);
	if (DatumGetInt32(row->values[SYNC_QUEUE_ATTEMPT]) != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a new task cannot have been attempted"));
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
		SyncQueueColumn column = fixed[i];
		Form_pg_attribute attribute =
			TupleDescAttr(row->desc, row->columns.number[column] - 1);

		if (row->nulls[column] == old->nulls[column] &&
			(row->nulls[column] || datumIsEqual(row->values[column],
												old->values[column],
												attribute->attbyval,
												attribute->attlen)))
			continue;
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot change \"%s\" of a task",
					   NameStr(attribute->attname)),
				errdetail("Task " INT64_FORMAT ".",
						  DatumGetInt64(old->values[SYNC_QUEUE_QUEUE_ID])));
	}
}

/*
 * Write the role and the lane into a row, and have it offered.
 */
static HeapTuple
stamp(GuardedRow *row, HeapTuple tuple)
{
	int numbers[] = {
		row->columns.number[SYNC_QUEUE_RUN_AS],
		row->columns.number[SYNC_QUEUE_LANE],
	};
	Datum values[lengthof(numbers)];
	bool nulls[lengthof(numbers)] = {false};
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

	row->values[SYNC_QUEUE_LANE] =
		UInt64GetDatum(hash_bytes_extended((unsigned char *) key.data,
										   key.len,
										   0));
	if (status_of(row) == SYNC_TASK_PENDING)
		offer_row(row);

	values[0] = row->values[SYNC_QUEUE_RUN_AS];
	values[1] = row->values[SYNC_QUEUE_LANE];
	return heap_modify_tuple_by_cols(tuple,
									 row->desc,
									 lengthof(numbers),
									 numbers,
									 values,
									 nulls);
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
