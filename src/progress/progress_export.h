/*-------------------------------------------------------------------------
 *
 * progress_export.h
 *	  Rules as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROGRESS_EXPORT_H
#define PROGRESS_EXPORT_H

#include "kit/kit_export.h"

extern void sync_progress_export(SyncRowSink sink, void *arg);

#endif /* PROGRESS_EXPORT_H */
