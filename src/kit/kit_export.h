/*-------------------------------------------------------------------------
 *
 * kit_export.h
 *	  Definitions as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KIT_EXPORT_H
#define KIT_EXPORT_H

#include "kit/kit_rows.h"

/* What is said of a definition: an argument of a function */
typedef struct SyncExportItem
{
	const char *name;
	const char *otherwise; /* what it is where nothing is said, as text */
	bool bare;			   /* a number or a boolean: without quotes */
} SyncExportItem;

extern SyncRows *sync_kit_export_read(const char *sql);
extern void sync_kit_export_call(const char *function,
								 const SyncExportItem *items,
								 int nitems,
								 char **cells,
								 SyncRowSink sink,
								 void *arg);
extern void sync_kit_export_table(const char *table,
								  const char *order_by,
								  SyncRowSink sink,
								  void *arg);

#endif /* KIT_EXPORT_H */
