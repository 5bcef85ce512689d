/*-------------------------------------------------------------------------
 *
 * flow_export.h
 *	  Streams as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_EXPORT_H
#define FLOW_EXPORT_H

#include "kit/kit_export.h"

extern void sync_flow_export(SyncRowSink sink, void *arg);

#endif /* FLOW_EXPORT_H */
