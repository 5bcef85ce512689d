/*-------------------------------------------------------------------------
 *
 * stage_convert.h
 *	  Rows that are converted one by one, since one of them may fail.
 *
 * In chunks (stage_convert.c): records, and rows of a query (stage_cast.c) where
 * some may be put aside.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STAGE_CONVERT_H
#define STAGE_CONVERT_H

#include "stage/stage.h"

/* A row as it came; what is behind this its maker knows */
typedef struct SyncRaw
{
	int64 number;
	bool unread; /* it is as it came, and has not the fields of others */
} SyncRaw;

/* Where rows come from that have to be converted one by one */
typedef struct SyncRawRows
{
	/* the next one, in the current memory context; NULL: no more */
	SyncRaw *(*next)(void *arg);
	/* makes a row of it, in the current memory context; raises where it cannot;
	 * says which column is at work */
	void (*convert)(void *arg, SyncRaw *raw, SyncRow *row, int *column);
	/* shows it as JSON; raises nothing */
	char *(*print)(void *arg, SyncRaw *raw);
	/* adds to an error's context where it is */
	void (*locate)(void *arg, SyncRaw *raw);
	/* begins anew after an error; NULL: nothing to do */
	void (*renew)(void *arg);
	void *arg;
} SyncRawRows;

typedef struct SyncConverter SyncConverter;

/* Casts rows of a query */
typedef struct SyncCaster SyncCaster;

/* in stage_convert.c */
extern SyncConverter *sync_stage_convert_start(SyncReading *reading,
											   SyncRawRows rows);
extern SyncRow *sync_stage_convert_next(SyncConverter *converter);

/* in stage_cast.c */
extern SyncCaster *sync_stage_cast_start(SyncReading *reading,
										 TupleDesc found,
										 SyncRowNext next,
										 void *next_arg);
extern SyncRow *sync_stage_cast_next(SyncCaster *caster);

#endif /* STAGE_CONVERT_H */
