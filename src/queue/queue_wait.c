/*-------------------------------------------------------------------------
 *
 * queue_wait.c
 *	  Tasks that wait for others: what holds them, and freeing them.
 *
 * A waiting task hangs on one of those that it waits for, the last of them that
 * is in the queue.  When that one has left, it is looked for the next, so that a
 * task which waits for many is looked at few times.  Where there is none, the
 * task is decided: it is pending, or it fails with one of them.
 *
 * This is done after the end of those has been committed, in a transaction of
 * its own: a snapshot that is taken then shows each task that waits and was
 * committed before, and what is committed later is looked at then
 * (shmem_waits.c).  So nobody who puts in a task waits for a worker, nor the
 * other way round.  What a killed process leaves undone, a sweep finds.
 *
 * A task waits by number only for those that were put in before it.  Groups grow,
 * so through them tasks may come to wait for each other; a sweep finds that too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "kit/kit_override.h"
#include "kit/kit_spi.h"
#include "queue/queue_row.h"
#include "queue/queue_wait.h"
#include "shmem/shmem_waits.h"

/* so many are looked at in one transaction */
#define LOOK_MAX   1000
#define LOOK_LIMIT "1000"

/* what an advisory lock of SQL's is, is 1 or 2; jobs have 3 */
#define WAIT_LOCK_KIND 4

/* What a statement has decided */
typedef struct Decided
{
	int n;			/* tasks */
	SyncLeft *left; /* gets those that failed */
} Decided;

/*
 * Hang tasks that hung on what has left ($1) on something else, free them, or
 * have them fail.  What waits for nothing any more is due now, and so stands
 * behind all that were begun.
 */
static const char decide_sql[] =
	"WITH looked AS MATERIALIZED ("
	"SELECT w.queue_id, w.after, w.after_group, w.on_failure, w.run_as, w.created_at"
	" FROM @extschema@.sync_queue w"
	" WHERE w.waiting_on = ANY ($1)"
	" LIMIT " LOOK_LIMIT " FOR UPDATE SKIP LOCKED), "
	"held AS MATERIALIZED ("
	"SELECT l.*, greatest((SELECT max(a) FROM unnest(l.after) AS a"
	" WHERE (SELECT true FROM @extschema@.sync_queue b WHERE b.queue_id = a)),"
	" (SELECT max(b.queue_id) FROM @extschema@.sync_queue b"
	" WHERE b.task_group = l.after_group AND b.run_as = l.run_as)) AS by"
	" FROM looked l), "
	"decided AS MATERIALIZED ("
	"SELECT h.queue_id, h.by, g.queue_id AS failed, g.status"
	" FROM held h LEFT JOIN LATERAL (SELECT * FROM (" SYNC_HISTORY_GIVEN_UP("h.after") " UNION ALL " SYNC_HISTORY_GIVEN_UP_OF_GROUP(
		"h.after_group",
		"h.run_as",
		"h.created_at") ") AS u WHERE h.by IS NULL AND h.on_failure IS DISTINCT FROM 'run'"
						" LIMIT 1) AS g ON true) "
						"UPDATE @extschema@.sync_queue q SET waiting_on = d.by,"
						" status = CASE WHEN d.by IS NOT NULL THEN 'waiting'"
						" WHEN d.failed IS NOT NULL THEN 'failed' ELSE 'pending' END,"
						" after = CASE WHEN coalesce(d.by, d.failed) IS NOT NULL THEN q.after END,"
						" after_group = CASE WHEN coalesce(d.by, d.failed) IS NOT NULL THEN q.after_group END,"
						" scheduled_time = CASE WHEN d.by IS NOT NULL THEN q.scheduled_time"
						" ELSE greatest(q.scheduled_time, now()) END,"
						" last_error = CASE WHEN d.failed IS NULL THEN q.last_error"
						" ELSE format('task %s, which it waited for, %s', d.failed,"
						" CASE d.status WHEN 'cancelled' THEN 'was cancelled' ELSE 'has failed' END) END"
						" FROM decided d WHERE q.queue_id = d.queue_id"
						" RETURNING q.queue_id, q.status";

static ParamListInfo ids_param(const SyncLeft *left);
static int enter(void);
static void take_decided(void *arg, int ncells, char **cells);
static void take_left(void *arg, int ncells, char **cells);

/*
 * Check what a task is to wait for; "after" is a bigint[].  Returns how many
 * they are.
 */
int
sync_queue_check_after(int64 queue_id, Datum after)
{
	Datum *ids;
	bool *nulls;
	int nids;

	deconstruct_array(DatumGetArrayTypeP(after),
					  INT8OID,
					  sizeof(int64),
					  FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE,
					  &ids,
					  &nulls,
					  &nids);
	for (int i = 0; i < nids; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("\"after\" must not contain null values"));
		if (DatumGetInt64(ids[i]) >= queue_id)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("task " INT64_FORMAT
						   " cannot wait for task " INT64_FORMAT,
						   queue_id,
						   DatumGetInt64(ids[i])),
					errdetail("A task can wait only for those that were put in before it."));
	}
	pfree(ids);
	pfree(nulls);
	return nids;
}

/*
 * A task that was given up has been put in again: what it waited for and is not
 * there any more is past, and so is its own failure.
 */
void
sync_queue_set_retried(int64 queue_id)
{
	ParamListInfo params = makeParamList(1);

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(queue_id));
	(void) sync_queue_run("UPDATE @extschema@.sync_queue SET on_failure = 'run'"
						  " WHERE queue_id = $1 AND status = 'waiting'",
						  params,
						  NULL,
						  NULL);
	sync_history_set_retried(queue_id);
}

/*
 * Note that a task has left; 0: that some wait which nobody has looked at.
 */
void
sync_queue_add_left(SyncLeft *left, int64 queue_id)
{
	if (left->ids == NULL)
	{
		left->max = 64;
		left->ids = palloc(left->max * sizeof(int64));
	}
	else if (left->n == left->max)
	{
		left->max *= 2;
		left->ids = repalloc_huge(left->ids, left->max * sizeof(int64));
	}
	left->ids[left->n++] = queue_id;
}

/*
 * Look at the tasks that hang on those which have left, once that is committed.
 * Returns whether there is more to be done, in another transaction: "left" is
 * then what that is.
 */
bool
sync_queue_free(SyncLeft *left)
{
	ParamListInfo params = ids_param(left);
	Decided decided = {.left = left};
	int nleft = left->n;
	int settings = enter();
	int waiting =
		(int) sync_queue_run("SELECT FROM @extschema@.sync_queue"
							 " WHERE waiting_on = ANY ($1) LIMIT " LOOK_LIMIT,
							 params,
							 NULL,
							 NULL);

	if (waiting > 0)
		(void) sync_queue_run(decide_sql, params, take_decided, &decided);
	AtEOXact_GUC(true, settings);
	/* some are held by others, of whom nobody hears when they let go */
	if (decided.n < waiting)
		sync_queue_look_again();
	/* those that failed stand behind the others, which are done with */
	if (waiting < LOOK_MAX)
	{
		left->n -= nleft;
		memmove(left->ids, left->ids + nleft, left->n * sizeof(int64));
	}
	return left->n > 0;
}

/*
 * Add to "left" what has left without anybody freeing those that wait for it.
 */
void
sync_queue_find_left(SyncLeft *left)
{
	uint64 announced = sync_shmem_waits_announced(MyDatabaseId);

	if (sync_queue_run("SELECT FROM @extschema@.sync_queue"
					   " WHERE waiting_on IS NOT NULL LIMIT 1",
					   NULL,
					   NULL,
					   NULL) == 0)
		sync_shmem_waits_set_none(MyDatabaseId, announced);
	else
		(void)
			sync_queue_run("SELECT DISTINCT w.waiting_on FROM @extschema@.sync_queue w"
						   " WHERE w.waiting_on IS NOT NULL AND NOT EXISTS (SELECT"
						   " FROM @extschema@.sync_queue b WHERE b.queue_id = w.waiting_on)",
						   NULL,
						   take_left,
						   left);
}

/*
 * Have tasks fail that wait for a group while one of that group waits for them.
 * Adds them to "left", and returns how many they are.
 */
int
sync_queue_break_circles(SyncLeft *left)
{
	Decided decided = {.left = left};
	int settings = enter();
	SyncLeft closing = {0};

	sync_queue_find_circles(&closing);
	if (closing.n > 0)
		(void) sync_queue_run(
			"WITH circle AS MATERIALIZED (SELECT w.queue_id, w.waiting_on"
			" FROM @extschema@.sync_queue w WHERE w.queue_id = ANY ($1)"
			" AND w.waiting_on IS NOT NULL FOR UPDATE SKIP LOCKED) "
			"UPDATE @extschema@.sync_queue q SET status = 'failed', waiting_on = NULL,"
			" last_error = format('task %s, which it waits for, waits for it',"
			" c.waiting_on) FROM circle c WHERE q.queue_id = c.queue_id"
			" RETURNING q.queue_id, q.status",
			ids_param(&closing),
			take_decided,
			&decided);
	AtEOXact_GUC(true, settings);
	return decided.n;
}

/*
 * The one parameter that is an array of tasks.
 */
static ParamListInfo
ids_param(const SyncLeft *left)
{
	ParamListInfo params = makeParamList(1);
	Datum *ids = palloc(left->n * sizeof(Datum));

	for (int i = 0; i < left->n; i++)
		ids[i] = Int64GetDatum(left->ids[i]);
	sync_kit_set_param(params,
					   0,
					   INT8ARRAYOID,
					   PointerGetDatum(construct_array(ids,
													   left->n,
													   INT8OID,
													   sizeof(int64),
													   FLOAT8PASSBYVAL,
													   TYPALIGN_DOUBLE)));
	return params;
}

/*
 * Keep others from deciding until this transaction has ended: what one of them
 * has hung on a task is to be seen by who looks when that has left.  Returns the
 * nest level of settings with which few tasks are looked up, however many there
 * were when the statement was planned.
 */
static int
enter(void)
{
	int settings = NewGUCNestLevel();
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, WAIT_LOCK_KIND);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	sync_kit_override("enable_seqscan", "off");
	sync_kit_override("enable_hashjoin", "off");
	sync_kit_override("enable_mergejoin", "off");
	return settings;
}

/*
 * Count a task that was decided, and add it where it failed; a SyncRowSink.
 */
static void
take_decided(void *arg, int ncells, char **cells)
{
	Decided *decided = arg;

	decided->n++;
	if (strcmp(cells[1], "failed") == 0)
		take_left(decided->left, 1, cells);
}

/*
 * Add a task that has left; a SyncRowSink.
 */
static void
take_left(void *arg, int ncells, char **cells)
{
	sync_queue_add_left(arg, strtoi64(cells[0], NULL, 10));
}
