/*-------------------------------------------------------------------------
 *
 * kit_staged.h
 *	  Rows that are kept aside for a statement, or for a second look.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_STAGED_H
#define KIT_STAGED_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"

#include "kit/kit_rows.h"

/* The column that has the number of a row; no user will have one of that name */
#define SYNC_NUMBER_COLUMN "sync_ext row"

/*
 * Rows in memory, or in a temporary file where they are many.  A statement may
 * name them as a relation.
 */
typedef struct SyncStagedRows
{
	const char *name;
	TupleDesc desc;
	bool numbered; /* the last column has the number of the row */
	Tuplestorestate *store;
	int64 count;
	MemoryContext scratch; /* for the row that is put */
	TupleTableSlot *slot;  /* for the row that is read, */
	MemoryContext context; /* and what it points to */
	SyncRow row;
} SyncStagedRows;

extern SyncStagedRows *sync_kit_staged_create(const char *name,
											  TupleDesc desc,
											  bool numbered);
extern SyncStagedRows *sync_kit_staged_lasting(const char *name, TupleDesc desc);
extern TupleDesc sync_kit_numbered_columns(TupleDesc desc);
extern SyncStagedRows *sync_kit_staged_like(SyncStagedRows *rows);
extern void sync_kit_staged_put(SyncStagedRows *rows, SyncRow *row);
extern void sync_kit_staged_rewind(SyncStagedRows *rows);
extern SyncRow *sync_kit_staged_next(void *rows);
extern void sync_kit_staged_free(SyncStagedRows *rows);

#endif /* KIT_STAGED_H */
