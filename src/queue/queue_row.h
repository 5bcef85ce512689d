/*-------------------------------------------------------------------------
 *
 * queue_row.h
 *	  The rows of sync_queue: what the files of the queue know of them, and
 *	  nobody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_ROW_H
#define QUEUE_ROW_H

#include "queue/queue.h"

struct TriggerData;

/* The states of a task; the last three are those of one that leaves */
typedef enum SyncTaskStatus
{
	SYNC_TASK_NONE,	   /* not in the queue */
	SYNC_TASK_WAITING, /* for others */
	SYNC_TASK_PENDING,
	SYNC_TASK_RUNNING,
	SYNC_TASK_COMPLETED,
	SYNC_TASK_FAILED,
	SYNC_TASK_CANCELLED,
} SyncTaskStatus;

/*
 * The columns of sync_queue that C code uses, as indexes of their numbers; the
 * last ones are no part of a task that is claimed
 */
typedef enum SyncQueueColumn
{
	SYNC_QUEUE_QUEUE_ID,
	SYNC_QUEUE_TIMING_PARTNER_ID,
	SYNC_QUEUE_EVENT_ID,
	SYNC_QUEUE_PROVIDER_NAME,
	SYNC_QUEUE_OPERATION_TYPE,
	SYNC_QUEUE_PRIORITY,
	SYNC_QUEUE_SCHEDULED_TIME,
	SYNC_QUEUE_STATUS,
	SYNC_QUEUE_PAYLOAD,
	SYNC_QUEUE_ATTEMPT,
	SYNC_QUEUE_MAX_ATTEMPTS,
	SYNC_QUEUE_UNIQUE_KEY,
	SYNC_QUEUE_SYNC_JOB_ID,
	SYNC_QUEUE_RUN_AS,
	SYNC_QUEUE_LEASE_UNTIL,
	SYNC_QUEUE_WORKER_PID,
	SYNC_QUEUE_LANE,
	SYNC_QUEUE_LAST_ERROR,
	SYNC_QUEUE_NTASK,
	SYNC_QUEUE_AFTER = SYNC_QUEUE_NTASK,
	SYNC_QUEUE_AFTER_GROUP,
	SYNC_QUEUE_ON_FAILURE,
	SYNC_QUEUE_TASK_GROUP,
	SYNC_QUEUE_WAITING_ON,
	SYNC_QUEUE_NCOLUMNS
} SyncQueueColumn;

/* Where these columns are in the table */
typedef struct SyncQueueColumns
{
	AttrNumber number[SYNC_QUEUE_NCOLUMNS];
} SyncQueueColumns;

/* in queue_state.c */
extern SyncTaskStatus sync_queue_status(const char *word);
extern void sync_queue_check_step(SyncTaskStatus from,
								  SyncTaskStatus to,
								  bool engine);

/* in queue_row.c */
extern void sync_queue_find_columns(TupleDesc desc, SyncQueueColumns *columns);
extern SyncTask *sync_queue_task(HeapTuple tuple,
								 TupleDesc desc,
								 const SyncQueueColumns *columns);
extern HeapTuple sync_queue_changed_row(Relation queue,
										const SyncTask *task,
										const SyncQueueColumn *columns,
										Datum *values,
										int n);

/* in queue_offer.c */
extern void sync_queue_offer_at_abort(const SyncOffer *offer);
extern void sync_queue_sweep_at_commit(void);
extern void sync_queue_announce_at_commit(void);
extern void sync_queue_free_at_commit(void);
extern void sync_queue_hold_turn(const SyncTurn *turn);
extern void sync_queue_release_turn(void);

/* in queue_guard.c */
extern HeapTuple sync_queue_guard(struct TriggerData *trigger);
extern bool sync_queue_engine_enter(void);
extern void sync_queue_engine_leave(bool before);

/* in queue_check.c */
extern HeapTuple sync_queue_check_type(struct TriggerData *trigger);

/* in queue_limit.c */
extern TimestampTz sync_queue_rate_holds(const SyncOperation *operation,
										 int64 lane,
										 TimestampTz now);
extern int sync_queue_allowed(const SyncTask *task,
							  int places,
							  TimestampTz now,
							  TimestampTz *next);
extern void sync_queue_spend(const SyncTask *task, int tasks);

/* in queue_type.c */
extern bool sync_queue_paused(const char *provider, const char *operation);

/* in queue_run.c */
extern uint64 sync_queue_run(const char *sql,
							 ParamListInfo params,
							 SyncRowSink sink,
							 void *arg);

/* in queue_settle.c */
extern void sync_queue_renew(const SyncTask *task, int pid);

/* in queue_wait.c */
extern int sync_queue_check_after(int64 queue_id, Datum after);
extern void sync_queue_set_retried(int64 queue_id);

/* in queue_story.c */
extern void sync_queue_leave(struct TriggerData *trigger);

#endif /* QUEUE_ROW_H */
