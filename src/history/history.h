/*-------------------------------------------------------------------------
 *
 * history.h
 *	  sync_history: every executed run ends as one row of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "datatype/timestamp.h"
#include "nodes/params.h"
#include "nodes/pg_list.h"

/* Details that say how much of a source was read: from a watermark on, or all */
#define SYNC_DETAIL_SINCE	   "read_since"
#define SYNC_DETAIL_EVERYTHING "read_everything"
#include "kit/kit_rows.h"

/* A run under way; the strings belong to the caller */
typedef struct SyncRun
{
	struct SyncRun *outer;	/* the one that it is part of; for its guard */
	struct SyncRun *within; /* the one in the middle of which it began */
	Oid writes;				/* the table, once sync_history_writes was called */
	const char *operation;	/* what kind of run, as "progress" */
	const char *subject;	/* what for; NULL: everything */
	const char *environment; /* where: the setting, or a server's name */
	const char *run_by;		 /* the role it runs as */
	const char *tenant;		 /* whom for; NULL: nobody */
	TimestampTz started_at;
	int64 rows_read;
	int64 inserted;
	int64 updated;
	int64 unchanged;
	int64 deleted;
	int64 rejected;
	int64 bytes;
	const char *details; /* a JSON object, or NULL */
	bool commits;		 /* as it goes: what it did stays though it fails */
} SyncRun;

/*
 * Deletes what belongs to runs that are no longer in history, which are those
 * that began before some time, and returns how many rows that was.
 */
typedef int64 (*SyncPurgeHook)(TimestampTz before);

/* SQL: true where history has no run with that history_id */
#define SYNC_HISTORY_LACKS(history_id)                          \
	"NOT EXISTS (SELECT FROM @extschema@.sync_history AS known" \
	" WHERE known.history_id = " history_id ")"

/*
 * SQL: a row (queue_id, status) for each of the tasks in an array that failed for
 * good or was cancelled, unless sync_history_set_retried was told of it since
 */
#define SYNC_HISTORY_GIVEN_UP(ids)                                         \
	"SELECT given.queue_id, given.status FROM @extschema@.sync_history AS" \
	" given WHERE given.queue_id = ANY (" ids                              \
	") AND given.status <> 'success'" SYNC_HISTORY_IS_GIVEN_UP

/* SQL: the same for the tasks of a group, of a role, that ended since a time */
#define SYNC_HISTORY_GIVEN_UP_OF_GROUP(task_group, run_as, since)           \
	"SELECT given.queue_id, given.status FROM @extschema@.sync_history AS"  \
	" given WHERE given.queue_id IS NOT NULL AND given.status <> 'success'" \
	" AND given.details -> 'task' ->> 'task_group' = " task_group           \
	" AND given.details -> 'task' ->> 'run_as' = " run_as                   \
	"::text AND given.started_at + given.duration >= " since                \
		SYNC_HISTORY_IS_GIVEN_UP

#define SYNC_HISTORY_IS_GIVEN_UP                             \
	" AND given.status IN ('failed_permanent', 'cancelled')" \
	" AND NOT coalesce(given.details ? 'retried', false)"

/* An attempt at a task of the queue; what it points to belongs to the caller */
typedef struct SyncAttempt
{
	int64 queue_id;
	int attempt;
	const char *operation;
	const char *subject; /* the provider, or NULL */
	const char *run_by;
	const char *status;
	TimestampTz started_at;
	TimestampTz finished_at;
	Datum *details; /* jsonb, or NULL */
	bool has_partner;
	int64 timing_partner_id;
	Datum *sync_job_id;		/* uuid, or NULL */
	const ErrorData *error; /* NULL: it succeeded */
} SyncAttempt;

/* Is told of attempts whose history was just written, in the same transaction */
typedef void (*SyncAttemptsHook)(List *attempts);

/* Is told of the JSON row of a failed run, in the transaction that wrote it */
typedef void (*SyncFailedHook)(const char *row);

/* in history_record.c */
extern void sync_history_part_of(const char *job);
extern int64 sync_history_succeeded(const SyncRun *run);
extern char *sync_history_failed_row(const SyncRun *run,
									 const ErrorData *error);
extern int64 sync_history_insert(const char *row);

/* in history_outcome.c */
extern const char *sync_history_outcome(const ErrorData *error);

/* in history_details.c */
extern void sync_history_add_detail(SyncRun *run,
									const char *name,
									const char *json);

/* in history_summary.c */
extern SyncRows *sync_history_by_time(const char *since, int spans);
extern SyncRows *sync_history_by_operation(const char *since);
extern SyncRows *sync_history_failures(const char *since, int max);

/* in history_look.c */
extern SyncRows *sync_history_without_job(const char *since);
extern int64 sync_history_rows_before(const SyncRun *run);
extern int64 sync_history_last(const SyncRun *run, const char *params);
extern char *sync_history_of_tenant(ParamListInfo params);
extern char *sync_history_given_up_task(int64 queue_id);

/* in history_guard.c */
extern void sync_history_start(SyncRun *run, const char *operation);
extern void sync_history_guard(SyncRun *run, void (*work)(void *arg), void *arg);
extern void sync_history_writes(SyncRun *run, Oid relation);

/* in history_slot.c */
extern int sync_history_slot_read(Oid schema);
extern bool sync_history_slot_turn(int current);

/* in history_purge.c */
extern void sync_history_on_purge(const char *what, SyncPurgeHook hook);
extern int64 sync_history_purge(const Interval *keep, bool exact);

/* in history_task.c */
extern void sync_history_set_retried(int64 queue_id);
extern void sync_history_on_attempts(SyncAttemptsHook hook);
extern void sync_history_attempts(List *attempts);

/* in history_writer.c */
extern void sync_history_on_failed(SyncFailedHook hook);
extern void sync_history_failed(const SyncRun *run, const ErrorData *error);
extern PGDLLEXPORT void sync_history_writer_main(Datum segment);

#endif /* HISTORY_H */
