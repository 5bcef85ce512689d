/*-------------------------------------------------------------------------
 *
 * flow_fresh.h
 *	  How old streams may get, and which are older.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_FRESH_H
#define FLOW_FRESH_H

#include "kit/kit_rows.h"

/* in flow_fresh.c */
extern void sync_flow_set_freshness(const char *stream, const char *max_age);
extern SyncRows *sync_flow_stale_streams(void);

#endif /* FLOW_FRESH_H */
