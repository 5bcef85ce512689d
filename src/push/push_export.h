/*-------------------------------------------------------------------------
 *
 * push_export.h
 *	  Pushes as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PUSH_EXPORT_H
#define PUSH_EXPORT_H

#include "kit/kit_export.h"

extern void sync_push_export(SyncRowSink sink, void *arg);

#endif /* PUSH_EXPORT_H */
