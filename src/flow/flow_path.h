/*-------------------------------------------------------------------------
 *
 * flow_path.h
 *	  The schemas in which a stream looks up names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_PATH_H
#define FLOW_PATH_H

#include "flow/flow.h"

/* in flow_path.c */
extern void sync_flow_path_settle(SyncStream *stream);
extern int sync_flow_path_enter(SyncStream *stream);
extern void sync_flow_path_leave(int settings);

#endif /* FLOW_PATH_H */
