/*-------------------------------------------------------------------------
 *
 * kit_rows.c
 *	  Collecting rows of text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "kit/kit_rows.h"

#define ROWS_FIRST_CAPACITY 16

/*
 * Make an empty collection, living in the current memory context.
 */
SyncRows *
sync_kit_rows_create(void)
{
	SyncRows *rows = palloc0(sizeof(SyncRows));

	rows->context = CurrentMemoryContext;
	rows->capacity = ROWS_FIRST_CAPACITY;
	rows->rows = palloc(rows->capacity * sizeof(char **));
	return rows;
}

/*
 * Copy one row into the collection "arg"; a SyncRowSink.
 */
void
sync_kit_rows_collect(void *arg, int ncells, char **cells)
{
	SyncRows *rows = arg;
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	char **copy = palloc(Max(ncells, 1) * sizeof(char *));

	for (int i = 0; i < ncells; i++)
		copy[i] = cells[i] ? pstrdup(cells[i]) : NULL;

	if (rows->nrows == rows->capacity)
	{
		rows->capacity *= 2;
		rows->rows =
			repalloc_huge(rows->rows, rows->capacity * sizeof(char **));
	}
	rows->rows[rows->nrows++] = copy;
	MemoryContextSwitchTo(caller);
}

/*
 * Take the first cell of a row, a whole number; a SyncRowSink for an int64.
 */
void
sync_kit_take_number(void *number, int ncells, char **cells)
{
	*(int64 *) number = strtoi64(cells[0], NULL, 10);
}

/*
 * Take the first cell of a row, as text or NULL, in the current memory context; a
 * SyncRowSink for a char *.
 */
void
sync_kit_take_text(void *text, int ncells, char **cells)
{
	*(char **) text = cells[0] ? pstrdup(cells[0]) : NULL;
}
