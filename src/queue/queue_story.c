/*-------------------------------------------------------------------------
 *
 * queue_story.c
 *	  What history is told of tasks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "kit/kit_spi.h"
#include "queue/queue_row.h"

static Datum whole_task(Relation queue, const SyncTask *task);
static Datum reason(const char *message);
static char *text_of(Relation queue, HeapTuple tuple, AttrNumber number);

/*
 * Make the history of an attempt at a task, for sync_history_attempts, in the
 * current memory context.  It began just now, and is complete but for what
 * came of it.
 */
SyncAttempt *
sync_queue_story(const SyncTask *task, const char *status)
{
	SyncAttempt *attempt = palloc0(sizeof(SyncAttempt));

	attempt->queue_id = task->queue_id;
	attempt->attempt = task->attempt;
	attempt->operation = task->operation_type;
	attempt->subject = task->provider_name;
	attempt->run_by = GetUserNameFromId(task->run_as, true);
	if (attempt->run_by == NULL)
		attempt->run_by = psprintf("%u", task->run_as);
	attempt->status = status;
	attempt->has_partner = task->has_partner;
	attempt->timing_partner_id = task->timing_partner_id;
	attempt->sync_job_id = task->sync_job_id;
	return attempt;
}

/*
 * The whole task as details of its history, so that sync_retry has it.  One that
 * is too large for that is to leave all the same: then they say why it is not
 * there.
 */
Datum *
sync_queue_keep(Relation queue, const SyncTask *task)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Datum *details = palloc(sizeof(Datum));

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		*details = whole_task(queue, task);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
			ERRCODE_OPERATOR_INTERVENTION)
			ReThrowError(error);
		*details = reason(error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return details;
}

/*
 * The whole task as jsonb, in the current memory context.
 */
static Datum
whole_task(Relation queue, const SyncTask *task)
{
	ParamListInfo params = makeParamList(1);
	char *text = NULL;

	sync_kit_set_param(params,
					   0,
					   queue->rd_rel->reltype,
					   heap_copy_tuple_as_datum(task->tuple,
												RelationGetDescr(queue)));
	(void) sync_queue_run("SELECT jsonb_build_object('task', to_jsonb($1))",
						  params,
						  sync_kit_take_text,
						  &text);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

/*
 * Why a task is not kept, as jsonb, in the current memory context.
 */
static Datum
reason(const char *message)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"not_kept\": ");
	escape_json(&text, message);
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

/*
 * A task was cancelled or deleted by hand, or has failed before it was begun: see
 * it out of the queue and into history; the trigger sync_queue_left.
 */
void
sync_queue_leave(TriggerData *trigger)
{
	Relation queue = trigger->tg_relation;
	bool updated = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple tuple = updated ? trigger->tg_newtuple : trigger->tg_trigtuple;
	ErrorData *error = palloc0(sizeof(ErrorData));
	SyncQueueColumns columns;
	SyncTask *task;
	SyncAttempt *attempt;
	bool failed;

	sync_queue_find_columns(RelationGetDescr(queue), &columns);
	task = sync_queue_task(tuple, RelationGetDescr(queue), &columns);
	task->attempt--; /* none was begun */
	failed = updated &&
			 strcmp(text_of(queue, tuple, columns.number[SYNC_QUEUE_STATUS]),
					"failed") == 0;
	if (failed)
	{
		error->sqlerrcode = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		error->message =
			text_of(queue, tuple, columns.number[SYNC_QUEUE_LAST_ERROR]);
	}
	else
	{
		error->sqlerrcode = ERRCODE_QUERY_CANCELED;
		error->message = updated ? "the task was cancelled before it was begun"
								 : "the task was deleted before it was begun";
		sync_queue_free_at_commit();
	}
	attempt = sync_queue_story(task, failed ? "failed_permanent" : "cancelled");
	attempt->started_at = attempt->finished_at = GetCurrentTimestamp();
	attempt->details = sync_queue_keep(queue, task);
	attempt->error = error;
	sync_history_attempts(list_make1(attempt));

	if (updated)
	{
		ParamListInfo params = makeParamList(1);

		sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
		(void)
			sync_queue_run("DELETE FROM @extschema@.sync_queue"
						   " WHERE queue_id = $1 AND status IN ('cancelled', 'failed')",
						   params,
						   NULL,
						   NULL);
	}
}

/*
 * The text in a column of a row that is not NULL.
 */
static char *
text_of(Relation queue, HeapTuple tuple, AttrNumber number)
{
	bool isnull;

	return TextDatumGetCString(heap_getattr(tuple,
											number,
											RelationGetDescr(queue),
											&isnull));
}
