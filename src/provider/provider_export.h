/*-------------------------------------------------------------------------
 *
 * provider_export.h
 *	  Providers and endpoints as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_EXPORT_H
#define PROVIDER_EXPORT_H

#include "kit/kit_export.h"

extern void sync_provider_export(SyncRowSink sink, void *arg);

#endif /* PROVIDER_EXPORT_H */
