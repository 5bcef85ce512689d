/*-------------------------------------------------------------------------
 *
 * queue_export.h
 *	  Operation types as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_EXPORT_H
#define QUEUE_EXPORT_H

#include "kit/kit_export.h"

extern void sync_queue_export(SyncRowSink sink, void *arg);

#endif /* QUEUE_EXPORT_H */
