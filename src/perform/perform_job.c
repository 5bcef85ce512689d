/*-------------------------------------------------------------------------
 *
 * perform_job.c
 *	  Where tasks and the jobs that they are part of meet.
 *
 * A task acts for the user whose job it is part of, so that its handler may say
 * how far that is; hence only who may touch a job may have tasks of it.  What
 * history is told of tasks moves their jobs, in the same commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "history/history.h"
#include "jobs/jobs.h"
#include "perform/perform.h"

static void move_jobs(List *attempts);
static int order_by_job(const ListCell *a, const ListCell *b);
static bool is_last(Datum id);
static Datum column(TriggerData *trigger,
					HeapTuple tuple,
					const char *name,
					bool *isnull);

/*
 * Have jobs moved by what becomes of their tasks.  Called once from _PG_init.
 */
void
sync_perform_job_init(void)
{
	sync_history_on_attempts(move_jobs);
}

/*
 * Whether a task may be performed in a transaction in which "of_job" (NULL: none
 * yet) was the first that is part of a job, which is kept there.  Tasks of one
 * job only are: they write its row, and transactions that write several would
 * wait for each other in a circle.
 */
bool
sync_perform_joins(SyncTask *task, SyncTask **of_job)
{
	if (task->sync_job_id == NULL)
		return true;
	if (*of_job == NULL)
		*of_job = task;
	return DatumGetBool(DirectFunctionCall2(uuid_eq,
											*task->sync_job_id,
											*(*of_job)->sync_job_id));
}

/*
 * Have the job of a task begin, if it is part of one and the first of it.
 */
void
sync_perform_start_job(const SyncTask *task)
{
	if (task->sync_job_id)
		sync_jobs_start(*task->sync_job_id);
}

/*
 * Begin a task that may be part of a job: its runs are, and it acts for the
 * job's user until the caller's nest level of settings ends.  Raises, and says
 * that the task is to be given up, where the job has ended.
 */
void
sync_perform_enter_job(const SyncTask *task, SyncResult *result)
{
	const char *user;

	if (task->sync_job_id == NULL)
		return;
	user = sync_jobs_begin_task(*task->sync_job_id, &result->cancelled);
	if (user == NULL)
		return;
	sync_history_part_of(DatumGetCString(DirectFunctionCall1(uuid_out,
															 *task->sync_job_id)));
	(void) set_config_option("sync_ext.user_id",
							 user,
							 PGC_SUSET,
							 PGC_S_SESSION,
							 GUC_ACTION_SAVE,
							 true,
							 0,
							 false);
}

/*
 * The task has ended, in whatever way.
 */
void
sync_perform_leave_job(void)
{
	sync_history_part_of(NULL);
}

/*
 * Raise where a task is about to be put into the queue that is part of a job
 * which its role may not touch; the trigger sync_queue_job.  What comes from a
 * dump, or is put back, was checked before.
 */
HeapTuple
sync_perform_check_job(TriggerData *trigger)
{
	HeapTuple row = TRIGGER_FIRED_BY_INSERT(trigger->tg_event)
						? trigger->tg_trigtuple
						: trigger->tg_newtuple;
	bool isnull;
	Datum id = column(trigger, row, "sync_job_id", &isnull);

	if (!isnull &&
		(sync_queue_at_work() || !sync_jobs_role_sees_all(GetUserId())))
		sync_jobs_check_task(id,
							 DatumGetObjectId(column(trigger,
													 row,
													 "run_as",
													 &isnull)));
	return row;
}

/*
 * Move the jobs whose tasks these attempts were.  All sessions take them in the
 * same order, so that none waits for another that waits for it.
 */
static void
move_jobs(List *attempts)
{
	List *sorted = NIL;
	ListCell *cell;

	foreach(cell, attempts)
	{
		SyncAttempt *attempt = lfirst(cell);

		if (attempt->sync_job_id)
			sorted = lappend(sorted, attempt);
	}
	list_sort(sorted, order_by_job);
	foreach(cell, sorted)
	{
		SyncAttempt *attempt = lfirst(cell);

		if (strcmp(attempt->status, "success") == 0)
			sync_jobs_end_task(*attempt->sync_job_id, is_last);
		else if (strcmp(attempt->status, "failed_permanent") == 0 ||
				 strcmp(attempt->status, "cancelled") == 0)
			sync_jobs_fail(*attempt->sync_job_id,
						   psprintf("%s: %s",
									attempt->operation,
									attempt->error->message));
	}
	list_free(sorted);
}

/*
 * Compare attempts by their jobs; of one job, what failed comes first, or a last
 * success would complete it.
 */
static int
order_by_job(const ListCell *a, const ListCell *b)
{
	SyncAttempt *left = lfirst(a);
	SyncAttempt *right = lfirst(b);
	int order = DatumGetInt32(DirectFunctionCall2(uuid_cmp,
												  *left->sync_job_id,
												  *right->sync_job_id));

	return order != 0 ? order : (left->error == NULL) - (right->error == NULL);
}

/*
 * Whether no task of a job is left in the queue.
 */
static bool
is_last(Datum id)
{
	return !sync_queue_has_job(id);
}

/*
 * The value of a column of a row of sync_queue.
 */
static Datum
column(TriggerData *trigger, HeapTuple tuple, const char *name, bool *isnull)
{
	return heap_getattr(tuple,
						get_attnum(RelationGetRelid(trigger->tg_relation), name),
						RelationGetDescr(trigger->tg_relation),
						isnull);
}
