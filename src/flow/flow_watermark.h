/*-------------------------------------------------------------------------
 *
 * flow_watermark.h
 *	  How far a stream has read.
 *
 * The watermark of a stream (flow_watermark.c) is the highest value of a column
 * (flow_highest.c), or the xmin of a table (flow_xmin.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FLOW_WATERMARK_H
#define FLOW_WATERMARK_H

#include "flow/flow.h"

/* The highest value of a column that was read */
typedef struct SyncHighest SyncHighest;

/* Transactions of a source, when it is read */
typedef struct SyncMoment
{
	const char *oldest; /* under way */
	uint64 next;		/* the first one to begin later */
} SyncMoment;

/* in flow_watermark.c */
extern void sync_flow_watermark_check(SyncFlow *flow);
extern void sync_flow_watermark_apply(SyncFlow *flow, bool full_refresh);
extern void sync_flow_watermark_store(SyncFlow *flow);
extern void sync_flow_watermark_forget(const char *stream);
extern bool sync_flow_is_empty(SyncFlow *flow);
extern void sync_flow_watermark_describe(SyncFlow *flow, SyncRun *run);

/* in flow_digest.c */
extern const char *sync_flow_digest(SyncFlow *flow, const char *definition);

/* in flow_highest.c */
extern Oid sync_flow_highest_type(SyncFlow *flow, SyncSourceColumn *column);
extern char *sync_flow_highest_condition(SyncStream *stream,
										 const char *column,
										 Oid type,
										 const char *watermark);
extern SyncHighest *sync_flow_highest_watch(SyncFlow *flow,
											Oid type,
											const char *watermark);
extern char *sync_flow_highest_value(SyncHighest *highest);

/* in flow_xmin.c */
extern void sync_flow_xmin_check(SyncFlow *flow, SyncSourceColumn *column);
extern char *sync_flow_source_identity(SyncSource *source);
extern char *sync_flow_xmin_source(SyncSource *source, SyncMoment *moment);
extern const char *sync_flow_xmin_passed(const char *watermark,
										 SyncMoment *moment);
extern char *sync_flow_xmin_condition(SyncStream *stream,
									  const char *column,
									  const char *watermark,
									  SyncMoment *moment);

#endif /* FLOW_WATERMARK_H */
