/*-------------------------------------------------------------------------
 *
 * kit_cursor.h
 *	  Reading a query of this database row by row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_CURSOR_H
#define KIT_CURSOR_H

#include "kit/kit_staged.h"

typedef struct SyncCursor SyncCursor;

extern SyncCursor *sync_kit_cursor_open(const char *sql, SyncStagedRows *rows);
extern double sync_kit_cursor_expected(SyncCursor *cursor);
extern void sync_kit_cursor_fetch_ahead(SyncCursor *cursor, Size limit);
extern SyncRow *sync_kit_cursor_next(void *cursor);
extern void sync_kit_cursor_close(SyncCursor *cursor);

#endif /* KIT_CURSOR_H */
