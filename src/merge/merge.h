/*-------------------------------------------------------------------------
 *
 * merge.h
 *	  Rows into a table: what is new, changed or gone, and writing just that.
 *
 * Rows come in the order of their key and are compared with those of the target,
 * read in the same order (merge_compare.c).  What differs is staged
 * (merge_delta.c) and applied by set-based statements (merge_apply.c), composed
 * in merge_compose.c, which can keep images of what they write (merge_image.c).
 * Deferred constraints come last (merge_deferred.c), rejects by merge_sieve.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MERGE_H
#define MERGE_H

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "kit/kit_staged.h"

/* What becomes of rows */
typedef enum SyncMode
{
	SYNC_MODE_UPSERT,	   /* new ones are added, changed ones updated */
	SYNC_MODE_APPEND,	   /* all are added */
	SYNC_MODE_MIRROR,	   /* as upsert, and gone ones are deleted */
	SYNC_MODE_SOFT_DELETE, /* as upsert, and gone ones are marked */
} SyncMode;

/* A table to be merged into */
typedef struct SyncTarget
{
	struct RelationData *relation; /* open and locked against changes of it */
	const char *name;			   /* without its schema */
	const char *qualified;		   /* for SQL */
	const char *rows;		/* likewise, without those of tables that inherit */
	bool references_itself; /* by a foreign key */
	const char *deferred; /* constraints checked at commit, for SQL; NULL: none */
} SyncTarget;

/*
 * Takes images of rows that were written: action, key, and the other columns
 * before and after, as arrays of texts.
 */
typedef void (*SyncImageSink)(void *arg, SyncStagedRows *images);

/* How rows are to be merged */
typedef struct SyncMerge
{
	SyncTarget *target;
	SyncMode mode;
	TupleDesc desc; /* the columns that are written, the key first */
	int nkeys;
	const char *synced_at; /* column that gets the time; NULL: none */
	bool synced_at_all;	   /* for rows that were right already, too */
	const char *deleted_at;
	const char *scope;		 /* SQL: which rows "t" it is about; NULL: all */
	double max_delete_share; /* of the target's rows */
	double expected;		 /* rows of the source; an estimate */
	bool partial;	 /* the source shows some of its rows: none is gone */
	bool gone_later; /* rows that are gone are left to sync_merge_apply_gone */
	bool gone_stays; /* or are not deleted at all */
	bool together;	 /* with others, whoever sees to deferred constraints */
	bool waits;		 /* the first row of the source has to be waited for */
	bool rejects;	 /* rows that cannot be written are put aside */
	SyncRejectSink reject;
	void *reject_arg;
	SyncImageSink keep; /* of what is written; NULL: nothing is kept */
	void *keep_arg;
	List *image_columns; /* names: the key, what is updated, all others */
	int image_written;	 /* of them, the key and what is updated */
} SyncMerge;

/* What a merge did, or would do */
typedef struct SyncCounts
{
	int64 inserted;
	int64 updated;
	int64 unchanged;
	int64 deleted;
} SyncCounts;

/* A row against its target */
typedef enum SyncAction
{
	SYNC_ACTION_INSERT,
	SYNC_ACTION_UPDATE,
	SYNC_ACTION_KEEP,
	SYNC_ACTION_DELETE,
} SyncAction;

/*
 * Takes what was found of one key: the row as the target has it and as the
 * source has it, NULL where it has none.  Returns whether to go on.
 */
typedef bool (*SyncActionSink)(void *arg,
							   SyncAction action,
							   SyncRow *before,
							   SyncRow *after);

/* What is to be written */
typedef struct SyncDelta
{
	SyncStagedRows *inserted; /* all columns, numbered */
	SyncStagedRows *updated;  /* likewise */
	SyncStagedRows *kept;	  /* the key; NULL: they are not needed */
	SyncStagedRows *deleted;  /* the key */
} SyncDelta;

/* in merge_target.c */
extern SyncTarget *sync_merge_open_target(const char *name);
extern void sync_merge_close_target(SyncTarget *target);
extern void sync_merge_check_key(SyncTarget *target, List *key);
extern void sync_merge_lock_target(SyncTarget *target, const char *part);
extern int sync_merge_assume_cached(SyncTarget *target);

/* in merge_lock.c */
extern bool sync_merge_lock(Oid table, const char *part, bool wait);
extern bool sync_merge_is_parted_by(SyncTarget *target, const char *column);

/* in merge_compare.c */
extern void sync_merge_compare(SyncMerge *merge,
							   SyncRowNext next,
							   void *next_arg,
							   SyncActionSink sink,
							   void *sink_arg,
							   SyncCounts *counts);
extern bool sync_merge_same_value(Form_pg_attribute column,
								  Datum before,
								  Datum after);

/* in merge_delta.c */
extern SyncDelta *sync_merge_delta_create(SyncMerge *merge);
extern bool sync_merge_delta_put(void *delta,
								 SyncAction action,
								 SyncRow *before,
								 SyncRow *after);
extern void sync_merge_delta_keep_gone(SyncDelta *delta);
extern void sync_merge_delta_free(SyncDelta *delta);

/* in merge_apply.c */
extern void sync_merge_apply(SyncMerge *merge,
							 SyncDelta *delta,
							 SyncCounts *counts);
extern void sync_merge_apply_gone(SyncMerge *merge,
								  SyncDelta *delta,
								  SyncCounts *counts);

#endif /* MERGE_H */
