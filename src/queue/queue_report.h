/*-------------------------------------------------------------------------
 *
 * queue_report.h
 *	  What waits for long.
 *
 *-------------------------------------------------------------------------
 */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "kit/kit_rows.h"

/* in queue_report.c */
extern SyncRows *sync_queue_long_pauses(int64 longer_ms);
extern char *sync_queue_due_since(int64 longer_ms, const char *but);

#endif /* QUEUE_REPORT_H */
