/*-------------------------------------------------------------------------
 *
 * merge_foresee.h
 *	  Which rows could not be written, found without writing.
 *
 * Rows that a dry run would write are staged with what would be done with them,
 * and foreseen (merge_foresee.c): each by itself (merge_trial.c), and against
 * others (merge_conflict.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_FORESEE_H
#define MERGE_FORESEE_H

#include "merge/merge.h"

/* columns that staged rows have besides; no user will have one of that name */
#define SYNC_ACTION_COLUMN "sync_ext action"
#define SYNC_PLACE_COLUMN  "sync_ext place"

/* what stands in the first of them, in the order in which it is done */
#define SYNC_WRITTEN_DELETE "d"
#define SYNC_WRITTEN_UPDATE "u"
#define SYNC_WRITTEN_INSERT "i"

/* A constraint by which rows can be in each other's way, or lack another one */
typedef struct SyncConflict
{
	int sqlstate;
	const char *message;
	bool deferrable;	  /* only what there is in the end matters */
	struct HTAB *holders; /* the rows that have a value, by it */
} SyncConflict;

/* Tries rows one by one */
typedef struct SyncTrial SyncTrial;

/* in merge_foresee.c */
extern bool sync_merge_can_foresee(SyncMerge *merge);
extern SyncStagedRows *sync_merge_written_create(SyncMerge *merge);
extern bool sync_merge_written_put(void *written,
								   SyncAction action,
								   SyncRow *before,
								   SyncRow *after);
extern void sync_merge_foresee(SyncMerge *merge,
							   SyncStagedRows *written,
							   SyncCounts *counts);
extern bool sync_merge_tries(SyncMerge *merge, bool update);

/* in merge_trial.c */
extern bool sync_merge_has_trials(SyncMerge *merge);
extern SyncTrial *sync_merge_trial_begin(SyncMerge *merge);
extern void sync_merge_trial_row(SyncTrial *trial, SyncRow *row, bool update);
extern void sync_merge_trial_end(SyncTrial *trial);

/* in merge_conflict.c */
extern List *sync_merge_conflicts(SyncMerge *merge);
extern char *sync_merge_compose_conflicts(SyncMerge *merge);
extern char *sync_merge_compose_written(SyncMerge *merge);

#endif /* MERGE_FORESEE_H */
