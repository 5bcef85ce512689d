/*-------------------------------------------------------------------------
 *
 * kit_insert.h
 *	  Adding many rows to a table of our own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_INSERT_H
#define KIT_INSERT_H

#include "access/tupdesc.h"
#include "utils/relcache.h"

/* Rows that are being added */
typedef struct SyncInsert SyncInsert;

extern SyncInsert *sync_kit_insert_begin(Relation table);
extern void sync_kit_insert_row(SyncInsert *insert, Datum *values, bool *nulls);
extern void sync_kit_insert_end(SyncInsert *insert);

#endif /* KIT_INSERT_H */
