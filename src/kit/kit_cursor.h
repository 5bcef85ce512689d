/*-------------------------------------------------------------------------
 *
 * kit_cursor.h
 *	  Reading a query of this database row by row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_CURSOR_H
#define KIT_CURSOR_H

#include "kit/kit_rows.h"

typedef struct SyncCursor SyncCursor;

extern SyncCursor *sync_kit_cursor_open(const char *sql, SyncNamedRows *rows);
extern SyncRow *sync_kit_cursor_next(void *cursor);
extern void sync_kit_cursor_close(SyncCursor *cursor);

#endif /* KIT_CURSOR_H */
