/*-------------------------------------------------------------------------
 *
 * queue_driver.h
 *	  Drivers: handlers that perform tasks of kind external in steps, many at
 *	  once in one process, without a transaction while they wait.
 *
 * A driver belongs to a handler, which is a C function of this library.  Its
 * tasks are leased many at a time and then
 *
 *	  begun      in a transaction, as their role, once the lease is committed
 *	  stepped    in no transaction, whenever something came or went
 *	  stored     in a transaction, as their role, as often as they ask for it
 *	  finished   in the transaction in which they leave the queue
 *	  closed     on every path, errors included, also before they were finished
 *
 * Each call but the last is made with the memory context of the task as the
 * current one, which lives until the task is closed; that of the handler's
 * transaction does not.  What a call raises ends the attempt at this task alone.
 * Whatever was begun is taken back with the transaction that fails, so a store
 * or a finish is never repeated; the task is then taken for stuck.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_DRIVER_H
#define QUEUE_DRIVER_H

#include "fmgr.h"

#include "queue/queue.h"

/* What a task wants next */
typedef enum SyncDriveStep
{
	SYNC_DRIVE_WAIT,  /* for its transfers, or for some time */
	SYNC_DRIVE_STORE, /* to keep what came so far, and go on */
	SYNC_DRIVE_DONE,  /* to be finished */
} SyncDriveStep;

struct SyncDriver
{
	/* C symbol of the handler (prosrc), which belongs to the extension */
	const char *handler;

	/*
	 * Begin: check what is asked and start the first transfer.  "task" is valid
	 * until the task is closed, but for its operation, which is valid now.
	 */
	void *(*begin)(SyncTask *task);

	/*
	 * Go on as far as that is possible without waiting.  No table can be read,
	 * and text be converted to the server's encoding only where that is UTF8.
	 * "wait_ms" is -1 before: wait for the transfers alone; set it to be called
	 * again after so long at the latest.
	 */
	SyncDriveStep (*step)(void *state, int64 *wait_ms);

	/* Keep what came so far; NULL: never asked for */
	void (*store)(void *state);

	/*
	 * Keep what came, and return details for history (jsonb) or NULL.  What it
	 * raises undoes it; where it sets task->failure, what it did stays and the
	 * attempt has failed all the same.
	 */
	Datum *(*finish)(void *state);

	/*
	 * May a finish follow in the transaction of another one, that of "first"?  It
	 * is asked in that transaction where a finish locks what others want, as a
	 * target: it has to have its locks then, as what followed would wait for another
	 * transaction with locks of its own.  NULL: a finish locks nothing, and goes with
	 * any.
	 */
	bool (*finishes_with)(void *first, void *state);

	/*
	 * May the task be begun anew, without an attempt being counted, when its
	 * worker is shut down?  Not where something may have been done already that
	 * must not be done twice.  NULL: always.  Raises nothing.
	 */
	bool (*may_begin_anew)(void *state);

	/* Give back what is not memory; NULL: nothing to do.  Raises nothing */
	void (*close)(void *state);
};

/* in queue_driver.c */
extern void sync_queue_add_driver(const SyncDriver *driver);
extern const SyncDriver *sync_queue_find_driver(Oid function);
extern Datum sync_queue_drive_plainly(const SyncDriver *driver,
									  FunctionCallInfo fcinfo);

/* in queue_hold.c */
extern List *sync_queue_hold(Relation queue, List *tasks);
extern bool sync_queue_take_held(Relation queue, SyncTask *task);
extern void sync_queue_renew_held(List *tasks);
extern void sync_queue_give_back(List *tasks);

/* in queue_report.c */
extern bool sync_queue_partner_of(const char *queue_id, int64 *partner);

#endif /* QUEUE_DRIVER_H */
