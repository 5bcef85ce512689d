/*-------------------------------------------------------------------------
 *
 * kit_rows.h
 *	  Rows of text, the one form in which query results travel upward,
 *	  wherever the query ran.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_ROWS_H
#define KIT_ROWS_H

/*
 * Takes one row.  The cells are valid only during the call; a NULL cell is
 * an SQL NULL.  A sink may raise.
 */
typedef void (*SyncRowSink)(void *arg, int ncells, char **cells);

/* Collected rows, in the memory context that was current at creation */
typedef struct SyncRows
{
	MemoryContext context; /* where the cells live */
	int nrows;
	int capacity;
	char ***rows;
} SyncRows;

extern SyncRows *sync_kit_rows_create(void);
extern void sync_kit_rows_collect(void *rows, int ncells, char **cells);

#endif /* KIT_ROWS_H */
