/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  The queue: sync_queue, sync_operation_types, sync_queue_pauses.
 *
 * Tasks come in by INSERT (queue_guard.c), which offers them to those who
 * perform tasks (queue_offer.c).  These claim them in batches (queue_claim.c),
 * take the row out (queue_row.c) in the transaction that performs it, or lease
 * it (queue_lease.c), and put back what is to be tried again (queue_settle.c).
 * Tasks that wait for others come in when they are freed (queue_wait.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/params.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "history/history.h"
#include "kit/kit_rows.h"
#include "queue/queue_task.h"
#include "shmem/shmem_lanes.h"

#define SYNC_QUEUE_PRIORITY_MAX 100

/* how many parameters sync_queue_enqueue takes */
#define SYNC_QUEUE_NENQUEUE 16

/* SQL: true where no task of that job waits or is at work */
#define SYNC_QUEUE_LACKS_JOB(id)                                                    \
	"NOT EXISTS (SELECT FROM @extschema@.sync_queue AS q WHERE q.sync_job_id = " id \
	")"

/* in queue_row.c */
extern Relation sync_queue_open(void);
extern void sync_queue_look_again(void);
extern bool sync_queue_remove(Relation queue, SyncTask *task);
extern SyncTask *sync_queue_find_pending(Relation queue, int64 queue_id);
extern SyncTask *sync_queue_copy(Relation queue, const SyncTask *task);

/* in queue_offer.c */
extern void sync_queue_offer_at_commit(const SyncOffer *offer);
extern void sync_queue_offer_back(const SyncTask *task);

/* in queue_type.c */
extern SyncOperation *sync_queue_operation(const char *name);

/* in queue_claim.c */
extern List *sync_queue_claim(Relation queue,
							  int max,
							  int places,
							  int kinds,
							  TimestampTz now);
extern void sync_queue_sweep(Relation queue);

/* in queue_limit.c */
extern bool sync_queue_is_driven(const SyncTask *task);
extern void sync_queue_unspend(const SyncTask *task);
extern void sync_queue_release(void);

/* in queue_backoff.c */
extern bool sync_queue_retries(const SyncTask *task, int sqlerrcode);
extern TimestampTz sync_queue_next_attempt(const SyncTask *task,
										   TimestampTz now);

/* in queue_settle.c */
extern void sync_queue_put_back(Relation queue,
								const SyncTask *task,
								TimestampTz when,
								const char *error);
extern void sync_queue_put_back_untried(Relation queue, const SyncTask *task);
extern bool sync_queue_lease(const SyncTask *task);
extern bool sync_queue_finish(const SyncTask *task, int pid);
extern bool sync_queue_postpone(const SyncTask *task,
								int pid,
								TimestampTz when,
								const char *error);

/* in queue_enqueue.c */
extern char *sync_queue_enqueue(ParamListInfo params, const char *on_duplicate);
extern int64 sync_queue_enqueue_many(Datum tasks);

/* in queue_control.c */
extern bool sync_queue_cancel(int64 queue_id);
extern char *sync_queue_retry(int64 queue_id);
extern bool sync_queue_pause(const char *provider, const char *operation);
extern bool sync_queue_resume(const char *provider, const char *operation);
extern bool sync_queue_drain(int64 max_wait_ms);

/* in queue_report.c */
extern bool sync_queue_has_job(Datum id);
extern char *sync_queue_status_of(ParamListInfo params);

/* in queue_story.c */
extern SyncAttempt *sync_queue_story(const SyncTask *task, const char *status);
extern Datum *sync_queue_keep(Relation queue, const SyncTask *task);

/* in queue_guard.c */
extern bool sync_queue_at_work(void);

/* in queue_lease.c */
extern List *sync_queue_stuck(Relation queue);

#endif /* QUEUE_H */
