/*-------------------------------------------------------------------------
 *
 * flow_open.c
 *	  Opening the two ends of a stream.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"

#include "flow/flow_endpoint.h"

static SyncSource *open_source(SyncFlow *flow);

/*
 * Open the target of a stream and see that it has what the stream names.  The
 * flow lives in the current memory context, and is closed by sync_flow_close
 * or by the end of the (sub)transaction.
 */
SyncFlow *
sync_flow_open_target(SyncStream *stream)
{
	SyncFlow *flow = palloc0(sizeof(SyncFlow));

	flow->stream = stream;
	flow->target = sync_merge_open_target(stream->target);
	sync_flow_check_target(stream, flow->target);
	return flow;
}

/*
 * Open the source, match its columns with those of the target, and settle how
 * rows are to be read and merged.
 */
void
sync_flow_open_source(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;

	flow->source = open_source(flow);
	sync_flow_match(flow);
	flow->rejects = sync_flow_rejects_create(flow);

	flow->reading.order_by = stream->order_by;
	flow->reading.duplicates = stream->duplicates;
	flow->reading.target = RelationGetRelid(flow->target->relation);
	flow->reading.target_name = flow->target->name;
	flow->reading.rejects = sync_flow_allows_rejects(stream);
	flow->reading.reject = sync_flow_reject;
	flow->reading.reject_raw = sync_flow_reject_raw;
	flow->reading.reject_arg = flow->rejects;

	flow->merge.target = flow->target;
	flow->merge.mode = stream->mode;
	flow->merge.synced_at = stream->synced_at;
	flow->merge.synced_at_all = stream->synced_at_all;
	flow->merge.deleted_at = stream->deleted_at;
	flow->merge.max_delete_share = stream->max_delete_share;
	flow->merge.waits = stream->server != NULL;
	flow->merge.rejects = flow->reading.rejects;
	flow->merge.reject = sync_flow_reject;
	flow->merge.reject_arg = flow->rejects;
}

/*
 * Close what is open.
 */
void
sync_flow_close(SyncFlow *flow)
{
	if (flow->source)
		sync_stage_close(flow->source);
	if (flow->rejects)
		sync_flow_rejects_free(flow->rejects);
	sync_merge_close_target(flow->target);
}

/*
 * Open the source that the stream declares.
 */
static SyncSource *
open_source(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;

	if (stream->replayed)
		return sync_flow_open_rejects(flow);
	if (stream->endpoint)
		return sync_flow_open_endpoint(flow);
	if (stream->files == NULL)
		return sync_stage_open(stream->query, stream->server, flow->remotes);
	return sync_stage_open_files(stream->files,
								 sync_flow_plain_columns(stream, flow->target),
								 stream->label);
}
