/*-------------------------------------------------------------------------
 *
 * queue_task.h
 *	  Tasks and operation types, as those who perform tasks know them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_TASK_H
#define QUEUE_TASK_H

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"

#include "shmem/shmem_limits.h"

typedef struct SyncDriver SyncDriver; /* see queue_driver.h */

/* SQL: true where no task of that identity does */
#define SYNC_QUEUE_LACKS(id)                                                     \
	"NOT EXISTS (SELECT FROM @extschema@.sync_queue AS q WHERE q.queue_id = " id \
	")"

/* What is done with the tasks of an operation type */
typedef struct SyncOperation
{
	char *name;
	char *handler; /* as in SQL */
	bool external;
	const SyncDriver *driver; /* of those of kind external, or NULL */
	int64 timeout_ms;		  /* 0: none */
	int max_attempts;
	double backoff_base_ms;
	double backoff_factor;
	double backoff_cap_ms;
	double backoff_jitter;
	List *retry_sqlstates; /* their beginnings */
	bool retries_named;	   /* else as queue_backoff.c has it */
	char *search_path;
	int max_running; /* processes at once, 0: any number */
	SyncRate rate;	 /* tasks 0: any number */
	bool per_tenant; /* both are */
} SyncOperation;

/* A task that was claimed */
typedef struct SyncTask
{
	int64 queue_id;
	int32 priority;
	int64 lane;
	TimestampTz scheduled_time;
	ItemPointerData tid;
	HeapTuple tuple; /* the whole row */
	Oid run_as;
	Datum payload; /* jsonb */
	int attempt;   /* counts the one that is begun now */
	int max_attempts;
	bool has_partner;
	int64 timing_partner_id;
	int64 *event_id;		  /* or NULL */
	char *provider_name;	  /* or NULL */
	char *operation_type;	  /* of the row, also where there is no such type */
	Datum *sync_job_id;		  /* uuid, or NULL */
	SyncOperation *operation; /* NULL: there is no such type */
	TimestampTz lease_until;  /* of a running one */
	int worker_pid;			  /* likewise */
	ItemPointerData held;	  /* where its row is while this process holds it */

	/* what its driver says of this attempt */
	ErrorData *failure;	  /* it failed, and what was written stays; or NULL */
	bool hopeless;		  /* another attempt would not mend it */
	TimestampTz retry_at; /* when there may be one; 0: as the type has it */
} SyncTask;

#endif /* QUEUE_TASK_H */
