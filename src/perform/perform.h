/*-------------------------------------------------------------------------
 *
 * perform.h
 *	  Performing tasks: where the queue, its handlers and history meet.
 *
 * A batch is claimed and performed in one transaction (perform_batch.c), each
 * task as its own role and in its own subtransaction (perform_attempt.c), and
 * then settled (perform_settle.c).  A task of kind external is leased in one
 * transaction and performed in the next; those that have a driver are performed
 * beside each other, between transactions (perform_drive.c).
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
	bool driving;		/* the task at hand is one of those that are driven */
	bool interrupted;	/* so it was, in the midst of such a task */
	int performed;		/* tasks */
	int failed;			/* and how many of them failed */
	List *attempts;		/* for history, of SyncAttempt */
	SyncLeft left;		/* tasks that are no longer in the queue */
	SyncTask *external; /* is to be performed in a transaction of its own */
	bool driven;		/* tasks that are driven were leased or settled */
	bool last;			/* nothing may follow in this transaction */
	bool collided;		/* a batch met another process: a smaller one is next */
} SyncRound;

/* What is done in an attempt, as the role of the task */
typedef Datum *(*SyncAct)(SyncTask *task, void *arg);

/* Is called with each sweep, in its transaction */
typedef void (*SyncSweepHook)(void);

/* How many tasks are claimed at once: more, as long as they are quick */
typedef struct SyncBatchSize
{
	int limit;
} SyncBatchSize;

/* in perform_batch.c */
extern bool sync_perform_batch(SyncRound *round,
							   int max,
							   int max_driven,
							   int kinds);
extern void sync_perform_external(SyncRound *round);
extern bool sync_perform_sweep(SyncRound *round);
extern void sync_perform_on_sweep(SyncSweepHook hook);

/* in perform_wait.c */
extern void sync_perform_sweep_waits(SyncRound *round);
extern void sync_perform_find_left(SyncRound *round);
extern void sync_perform_free(SyncRound *round, void (*commit)(void));

/* in perform_crash.c */
extern void sync_perform_settle_crashed(SyncRound *round, void (*commit)(void));

/* in perform_attempt.c */
extern void sync_perform_attempt(SyncRound *round,
								 SyncTask *task,
								 SyncAct act,
								 void *arg,
								 SyncResult *result);
extern const SyncTask *sync_perform_task(void);
extern void sync_perform_foresee(SyncTask *task, const ErrorData *error);

/* in perform_drive.c */
extern int sync_perform_driven(void);
extern int sync_perform_drive_room(void);
extern void sync_perform_drive_lease(SyncRound *round,
									 Relation queue,
									 List *tasks);
extern bool sync_perform_drive_begin(SyncRound *round);
extern void sync_perform_drive_committed(void);
extern void sync_perform_drive_recover(void);
extern void sync_perform_drive_abandon(void);

/* in perform_finish.c */
extern bool sync_perform_drive_ready(void);
extern bool sync_perform_drive_settle(SyncRound *round, Relation queue);

/* in perform_step.c */
extern void sync_perform_drive_wait(TimestampTz due, bool session, bool settle);

/* in perform_let_go.c */
extern void sync_perform_let_go(void);
extern void sync_perform_let_go_at_exit(void);

/* in perform_apart.c */
extern void sync_perform_check_constraints_at_once(void);
extern void sync_perform_shorten(ErrorData *error);

/* in perform_job.c */
extern void sync_perform_job_init(void);
extern bool sync_perform_joins(SyncTask *task, SyncTask **of_job);
extern void sync_perform_start_job(const SyncTask *task);
extern void sync_perform_enter_job(const SyncTask *task, SyncResult *result);
extern void sync_perform_leave_job(void);
extern HeapTuple sync_perform_check_job(TriggerData *trigger);

/* in perform_handler.c */
extern void sync_perform_forget_handlers(void);
extern Datum *sync_perform_call(SyncTask *task, void *unused);
extern void sync_perform_check_driver(SyncTask *task, const SyncDriver *driver);

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
extern TimestampTz sync_perform_next_round(void);
extern void sync_perform_process(int max_tasks);

#endif /* PERFORM_H */
