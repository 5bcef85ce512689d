/*-------------------------------------------------------------------------
 *
 * push.h
 *	  Pushes: rows of this database that are sent to a provider.
 *
 * A push (push_define.c) compares its query with what it has sent (push_read.c),
 * gathers rows into requests (push_gather.c), and sends them (push_run.c); what
 * is sent is committed before that, and after it what became of it (push_store.c).
 * A session drives its steps (push_session.c), or the queue (push_task.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PUSH_H
#define PUSH_H

#include "history/history.h"
#include "kit/kit_staged.h"
#include "provider/provider.h"

/* What is done with a row */
typedef enum SyncPushAction
{
	SYNC_PUSH_CREATE,
	SYNC_PUSH_UPDATE,
	SYNC_PUSH_DELETE,
} SyncPushAction;

#define SYNC_PUSH_ACTIONS 3
/* A row of sync_pushes */
typedef struct SyncPush
{
	const char *name;
	const char *endpoints[SYNC_PUSH_ACTIONS]; /* of delete: NULL, none */
	const char *query;
	List *key;			 /* names of columns */
	JsonbValue *params;	 /* an object */
	JsonbValue *columns; /* an object: parameter and column */
	const char *tenant;	 /* column; NULL: none */
	List *not_sent;		 /* names of columns, as given */
	int batch_size;		 /* 0: as the endpoint says */
	double max_delete_share;
} SyncPush;

/* A row that is to be sent */
typedef struct SyncPushRow
{
	SyncItem item;
	JsonbValue *key;
	const char *content; /* its hash, in hexadecimal digits */
	const char *before;	 /* the state it was in; NULL: none */
	bool failed_before;	 /* with the same content */
} SyncPushRow;

/* Rows of one request */
typedef struct SyncPushBatch
{
	MemoryContext context; /* has all of it */
	SyncPushAction action;
	bool again; /* sent as it was, since nobody knows what became of it */
	JsonbValue *params;
	char *name; /* which is its idempotency key */
	List *rows; /* SyncPushRow */
	bool sent;	/* and its rows say what became of them */
} SyncPushBatch;

typedef struct SyncPushLock SyncPushLock;

/* A push at work */
typedef struct SyncPushing
{
	SyncPush *push;
	const int64 *tenant; /* NULL: none */
	int64 whose;		 /* that is where it points to */
	MemoryContext context;
	MemoryContext scratch;
	SyncFetch *senders[SYNC_PUSH_ACTIONS]; /* NULL: not opened */
	SyncStagedRows *todo;				   /* in the order of requests */
	SyncRow *ahead;		   /* of the next batch; NULL: not read */
	SyncPushBatch *batch;  /* at hand, marked as being sent */
	SyncPushBatch *next;   /* not yet */
	bool under_way;		   /* the batch at hand is being sent */
	ErrorData *error;	   /* that ended it; NULL: none */
	SyncProspect prospect; /* of that */
	SyncPushLock *lock;	   /* NULL: none is held */

	/* what came of it */
	SyncRun run; /* of which rejected are those that failed */
	int64 unknown;
	int64 deletes;	/* that are to be made */
	int64 requests; /* that were gathered */
	int64 new_failures;
	char *first_failure;
	bool any_taken;
	int refused; /* whole requests, before any was taken */
} SyncPushing;

/* Where a step came to */
typedef enum SyncPushStep
{
	SYNC_PUSH_WAIT,	 /* for the transfer, or some time */
	SYNC_PUSH_STORE, /* what became of rows, and which come next */
	SYNC_PUSH_END,
} SyncPushStep;

/* in push_define.c */
extern bool sync_push_exists(const char *name);
extern SyncPush *sync_push_load(const char *name);
extern void sync_push_create(SyncPush *push);
extern void sync_push_drop(const char *name, bool forget);

/* in push_read.c */
extern char *sync_push_compose_read(SyncPush *push, const int64 *tenant);
extern void sync_push_read(SyncPushing *pushing);
extern void sync_push_check_deletes(SyncPushing *pushing);

/* in push_gather.c */
extern SyncPushBatch *sync_push_gather(SyncPushing *pushing);
extern void sync_push_free_batch(SyncPushBatch *batch);
extern const char *sync_push_action_name(SyncPushAction action);

/* in push_store.c */
extern void sync_push_mark(SyncPushing *pushing, SyncPushBatch *batch);
extern void sync_push_settle(SyncPushing *pushing, SyncPushBatch *batch);
extern int64 sync_push_resolve(const char *name,
							   const char *key,
							   bool pushed,
							   const char *remote_id,
							   const int64 *tenant);

/* in push_run.c */
extern SyncPushing *sync_push_new(SyncPush *push, const int64 *tenant);
extern void sync_push_open(SyncPushing *pushing, bool dry_run);
extern SyncPushStep sync_push_step(SyncPushing *pushing, int64 *wait_ms);
extern void sync_push_store(SyncPushing *pushing);
extern void sync_push_finish(SyncPushing *pushing);
extern void sync_push_close(SyncPushing *pushing);

/* in push_lock.c */
extern SyncPushLock *sync_push_lock(const char *name, const int64 *tenant);
extern void sync_push_unlock(SyncPushLock *lock);

/* in push_session.c */
extern void sync_push_in_session(SyncPushing *pushing);
extern void sync_push_dry(SyncPushing *pushing);
extern void sync_push_diff(SyncPushing *pushing,
						   int max_rows,
						   SyncRowSink sink,
						   void *arg);

#endif /* PUSH_H */
