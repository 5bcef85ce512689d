/*-------------------------------------------------------------------------
 *
 * shmem_progress.h
 *	  Runs at work: how far each has come, for all to see.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SHMEM_PROGRESS_H
#define SHMEM_PROGRESS_H

#include "nodes/pg_list.h"

#include "shmem/shmem_segment.h"

#define SYNC_PROGRESS_TEXT 128 /* bytes of a name, with the zero at its end */

/* What a run is at; history_stat_sql.c has the words */
typedef enum SyncPhase
{
	SYNC_PHASE_STARTING,
	SYNC_PHASE_WAITING, /* for another run of its target */
	SYNC_PHASE_CONNECTING,
	SYNC_PHASE_COMPARING,
	SYNC_PHASE_DELETING,
	SYNC_PHASE_UPDATING,
	SYNC_PHASE_INSERTING,
	SYNC_PHASE_REFRESHING,
	SYNC_PHASE_CHECKING,
	SYNC_PHASE_RECONCILING, /* a rule of progress */
	SYNC_PHASE_BACKFILLING, /* blocks of a table */
	SYNC_PHASE_PURGING,
	SYNC_PHASE_FINISHING,
} SyncPhase;

/* A run at work, as it stands in its slot */
typedef struct SyncProgress
{
	pid_t pid;
	Oid database;
	Oid role;
	TimestampTz started_at;
	char operation[SYNC_PROGRESS_TEXT];
	char subject[SYNC_PROGRESS_TEXT]; /* empty: none */
	bool dry_run;
	SyncPhase phase;
	TimestampTz phase_since;
	int64 rows;	 /* in this phase */
	int64 total; /* that are expected; -1: that is not known */
	bool exact;	 /* the total is no estimate */
	int64 bytes; /* from another server, in all phases */
} SyncProgress;

/* in shmem_progress.c */
extern Size sync_shmem_progress_size(void);
extern void sync_shmem_progress_attach(void *memory, LWLock *lock, bool fresh);
extern void sync_shmem_progress_init(void);
extern void sync_shmem_progress_begin(const char *operation,
									  const char *subject,
									  bool dry_run);
extern void sync_shmem_progress_outlive_commits(void);
extern void sync_shmem_progress_phase(SyncPhase phase, int64 total, bool exact);
extern void sync_shmem_progress_rows(int64 rows);
extern void sync_shmem_progress_bytes(int64 bytes);
extern void sync_shmem_progress_end(void);
extern bool sync_shmem_progress_is_seen(void);
extern List *sync_shmem_progress_list(void);

#endif /* SHMEM_PROGRESS_H */
