/*-------------------------------------------------------------------------
 *
 * check_export.h
 *	  Checks as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHECK_EXPORT_H
#define CHECK_EXPORT_H

#include "kit/kit_export.h"

extern void sync_check_export(SyncRowSink sink, void *arg);

#endif /* CHECK_EXPORT_H */
