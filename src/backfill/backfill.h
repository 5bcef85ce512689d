/*-------------------------------------------------------------------------
 *
 * backfill.h
 *	  Filling a column of an existing table, in batches that commit.
 *
 * The table is walked by its blocks (backfill_run.c), by statements that touch
 * only rows that are not right (backfill_compose.c).  How far it got is
 * remembered with each batch (backfill_store.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BACKFILL_H
#define BACKFILL_H

#include "history/history.h"

/* What is to be filled with what */
typedef struct SyncBackfill
{
	Oid relation;
	const char *name; /* of the relation when it began, in full */
	const char *column;
	const char *expression;
	const char *condition; /* NULL: all rows */
	bool overwrite;		   /* also rows that have another value */
	int batch_size;		   /* rows to be written in one transaction */
	int64 pause_ms;		   /* between two of them */
} SyncBackfill;

/* The blocks that rows lie in, of all parts of a table */
typedef struct SyncExtent
{
	char *storage; /* changes when rows are put elsewhere */
	int64 blocks;  /* of the largest part */
	double rows;   /* of all parts; an estimate, 0: unknown */
} SyncExtent;

/* in backfill_run.c */
extern void sync_backfill_run(SyncBackfill *backfill);

/* in backfill_compose.c */
extern void sync_backfill_check(SyncBackfill *backfill);
extern char *sync_backfill_compose_update(SyncBackfill *backfill,
										  int64 first,
										  int64 end);
extern char *sync_backfill_compose_left(SyncBackfill *backfill);
extern SyncExtent *sync_backfill_extent(SyncBackfill *backfill);

/* in backfill_store.c */
extern int64 sync_backfill_resume(SyncBackfill *backfill, SyncExtent *extent);
extern void sync_backfill_reached(SyncBackfill *backfill,
								  int64 position,
								  int64 updated);
extern void sync_backfill_done(SyncBackfill *backfill);

#endif /* BACKFILL_H */
