/*-------------------------------------------------------------------------
 *
 * flow_group.h
 *	  The steps of a run, and several streams that take them together.
 *
 * A run of one stream takes its steps one after the other (flow_run.c).  Those of
 * several are ordered by the foreign keys of their targets (flow_order.c), and
 * take each step together (flow_group.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_GROUP_H
#define FLOW_GROUP_H

#include "flow/flow.h"

/* A run of a stream */
typedef struct SyncFlowRun
{
	SyncStream *stream;
	SyncRun *run; /* what history will say of it */
	bool dry_run;
	bool full_refresh;
	SyncFlow *flow;
	SyncDelta *delta; /* NULL in a dry run */
	SyncCounts counts;
} SyncFlowRun;

/* in flow_run.c */
extern SyncFlowRun *sync_flow_start(SyncStream *stream,
									bool dry_run,
									bool full_refresh);
extern void sync_flow_step(SyncFlowRun *work, void (*step)(SyncFlowRun *work));
extern void sync_flow_run_open(SyncFlowRun *work);
extern void sync_flow_run_lock(SyncFlowRun *work);
extern void sync_flow_run_connect(SyncFlowRun *work);
extern void sync_flow_run_compare(SyncFlowRun *work);
extern void sync_flow_run_write(SyncFlowRun *work);
extern void sync_flow_run_write_gone(SyncFlowRun *work);
extern void sync_flow_run_check(SyncFlowRun *work);
extern void sync_flow_run_finish(SyncFlowRun *work);

/* in flow_group.c */
extern List *sync_flow_run_group(List *names,
								 const int64 *tenant,
								 bool dry_run,
								 bool full_refresh);

/* in flow_order.c */
extern List *sync_flow_order(List *runs, List **deferred);

#endif /* FLOW_GROUP_H */
