/*-------------------------------------------------------------------------
 *
 * perform.h
 *	  Performing tasks: where the queue, its handlers and history meet.
 *
 * A batch is claimed and performed in one transaction (perform_batch.c), each
 * task as its own role and in its own subtransaction (perform_attempt.c), and
 * then settled (perform_settle.c).  A task of kind external is leased in one
 * transaction and performed in the next.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PERFORM_H
#define PERFORM_H

#include "commands/trigger.h"

#include "queue/queue.h"
#include "queue/queue_wait.h"

/* How an attempt ended */
typedef struct SyncResult
{
	ErrorData *error; /* NULL: well */
	bool cancelled;	  /* somebody gave the task up */
	Datum *details;	  /* what the handler returned, jsonb, or NULL */
	TimestampTz started_at;
	TimestampTz finished_at;
} SyncResult;

/* What has been done so far */
typedef struct SyncRound
{
	bool session;		/* a user's, which may be cancelled by itself */
	int performed;		/* tasks */
	int failed;			/* and how many of them failed */
	List *attempts;		/* for history, of SyncAttempt */
	SyncLeft left;		/* tasks that are no longer in the queue */
	SyncTask *external; /* is to be performed in a transaction of its own */
} SyncRound;

/* How many tasks are claimed at once: more, as long as they are quick */
typedef struct SyncBatchSize
{
	int limit;
} SyncBatchSize;

/* in perform_batch.c */
extern bool sync_perform_batch(SyncRound *round, int max);
extern void sync_perform_external(SyncRound *round);
extern bool sync_perform_sweep(SyncRound *round);

/* in perform_wait.c */
extern void sync_perform_sweep_waits(SyncRound *round);
extern void sync_perform_find_left(SyncRound *round);
extern void sync_perform_free(SyncRound *round, void (*commit)(void));

/* in perform_crash.c */
extern void sync_perform_settle_crashed(SyncRound *round, void (*commit)(void));

/* in perform_attempt.c */
extern void sync_perform_attempt(SyncRound *round,
								 SyncTask *task,
								 SyncResult *result);
extern const SyncTask *sync_perform_task(void);

/* in perform_job.c */
extern void sync_perform_job_init(void);
extern bool sync_perform_joins(SyncTask *task, SyncTask **of_job);
extern void sync_perform_start_job(const SyncTask *task);
extern void sync_perform_enter_job(const SyncTask *task, SyncResult *result);
extern void sync_perform_leave_job(void);
extern HeapTuple sync_perform_check_job(TriggerData *trigger);

/* in perform_handler.c */
extern void sync_perform_forget_handlers(void);
extern Datum *sync_perform_call(SyncTask *task);

/* in perform_settle.c */
extern void sync_perform_settle(SyncRound *round,
								Relation queue,
								SyncTask *task,
								SyncResult *result);
extern void sync_perform_settle_stuck(SyncRound *round,
									  Relation queue,
									  SyncTask *task);
extern void sync_perform_write_history(SyncRound *round);

/* in perform_process.c */
extern bool sync_perform_round(SyncRound *round,
							   SyncBatchSize *size,
							   int max,
							   void (*commit)(void));
extern void sync_perform_process(int max_tasks);

#endif /* PERFORM_H */
