/*-------------------------------------------------------------------------
 *
 * kit_rows.h
 *	  The two forms in which rows travel: as text, where few are looked at,
 *	  and as Datums, where many pass by.
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

/* A row as Datums; who hands it out says how long it is valid */
typedef struct SyncRow
{
	Datum *values;
	bool *nulls;
	int64 number; /* in its source, from 1; negative: see below */
} SyncRow;

/* Whether a row says, by its key, that another one is gone */
#define SYNC_ROW_IS_GONE(row) ((row)->number < 0)

/* Gives the next row, or NULL after the last one */
typedef SyncRow *(*SyncRowNext)(void *arg);

/*
 * Takes a row that cannot be used, and why; "error" has at least an SQLSTATE
 * and a message.  A sink may raise.
 */
typedef void (*SyncRejectSink)(void *arg, SyncRow *row, ErrorData *error);

extern SyncRows *sync_kit_rows_create(void);
extern void sync_kit_rows_collect(void *rows, int ncells, char **cells);
extern void sync_kit_take_number(void *number, int ncells, char **cells);
extern void sync_kit_take_text(void *text, int ncells, char **cells);

#endif /* KIT_ROWS_H */
