/*-------------------------------------------------------------------------
 *
 * kit_print.h
 *	  Rows for people to read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_PRINT_H
#define KIT_PRINT_H

#include "access/tupdesc.h"

#include "kit/kit_rows.h"

extern char *sync_kit_print_key(TupleDesc desc, int nkeys, SyncRow *row);
extern char *sync_kit_print_json(TupleDesc desc, SyncRow *row);

#endif /* KIT_PRINT_H */
