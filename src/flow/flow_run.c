/*-------------------------------------------------------------------------
 *
 * flow_run.c
 *	  A run of a stream: read, compare, write what differs, leave a row in
 *	  history.
 *
 * All of it is one transaction, the caller's.  Two runs never write into one
 * target at once, or into one part of it: the second waits for the first, and
 * compares only then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_group.h"
#include "flow/flow_path.h"
#include "flow/flow_watermark.h"
#include "kit/kit_settings.h"
#include "merge/merge_deferred.h"
#include "merge/merge_foresee.h"
#include "shmem/shmem_progress.h"

static void perform_writing(void *arg);
static void perform(SyncFlowRun *work);
static void keep_gone(SyncFlowRun *work);
static void add_details(SyncFlowRun *work, int64 superseded);
static void sum_up(SyncFlowRun *work);
static void leave_history(SyncFlowRun *work);
static void name_stream(void *stream);

/*
 * Run a stream, or find out what running it would do.  Returns the counts, in
 * the current memory context.  A run that writes leaves a row in sync_history,
 * also when it raises.
 */
SyncRun *
sync_flow_run(SyncStream *stream, bool dry_run, bool full_refresh)
{
	SyncFlowRun *work = sync_flow_start(stream, dry_run, full_refresh);

	sync_shmem_progress_begin(work->run->operation, work->run->subject, dry_run);
	if (dry_run)
		sync_flow_step(work, perform);
	else
		sync_history_guard(work->run, perform_writing, work);
	sync_shmem_progress_end();
	return work->run;
}

/*
 * Begin a run of a stream; what follows are its steps, in their order.
 */
SyncFlowRun *
sync_flow_start(SyncStream *stream, bool dry_run, bool full_refresh)
{
	SyncFlowRun *work = palloc0(sizeof(SyncFlowRun));
	SyncRun *run = palloc(sizeof(SyncRun));

	sync_history_start(run,
					   stream->replayed ? "replay"
					   : stream->name	? "stream"
										: "upsert");
	run->subject = stream->name ? stream->name : stream->target;
	run->environment = stream->server && !stream->replayed
						   ? stream->server
						   : sync_guc_environment;
	if (stream->replayed)
		sync_history_add_detail(run,
								"run",
								psprintf(INT64_FORMAT, stream->replayed));
	if (stream->endpoint && stream->endpoint->tenant)
		run->tenant = psprintf(INT64_FORMAT, *stream->endpoint->tenant);
	work->stream = stream;
	work->run = run;
	work->dry_run = dry_run;
	work->full_refresh = full_refresh;
	return work;
}

/*
 * Do one of the steps, with the stream's search_path, and its name in the
 * context of errors.
 */
void
sync_flow_step(SyncFlowRun *work, void (*step)(SyncFlowRun *work))
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_stream,
		.arg = work->stream,
	};
	int settings;

	error_context_stack = &frame;
	settings = sync_flow_path_enter(work->stream);
	step(work);
	sync_flow_path_leave(settings);
	error_context_stack = frame.previous;
}

/*
 * Open the target.
 */
void
sync_flow_run_open(SyncFlowRun *work)
{
	work->flow = sync_flow_open_target(work->stream);
}

/*
 * Wait until no other run writes into the target, or into the part of it that
 * this one is about.
 */
void
sync_flow_run_lock(SyncFlowRun *work)
{
	sync_history_writes(work->run,
						RelationGetRelid(work->flow->target->relation));
	sync_shmem_progress_phase(SYNC_PHASE_WAITING, -1, false);
	sync_merge_lock_target(work->flow->target, sync_flow_part(work->flow));
}

/*
 * Open the source.
 */
void
sync_flow_run_connect(SyncFlowRun *work)
{
	sync_shmem_progress_phase(SYNC_PHASE_CONNECTING, -1, false);
	sync_flow_open_source(work->flow);
}

/*
 * Compare both ends under the active snapshot, and stage what is to be written.
 */
void
sync_flow_run_compare(SyncFlowRun *work)
{
	SyncFlow *flow = work->flow;
	SyncStagedRows *written = NULL;
	SyncReader *reader;

	if (!work->dry_run)
		work->delta = sync_merge_delta_create(&flow->merge);
	else if (sync_merge_can_foresee(&flow->merge))
		written = sync_merge_written_create(&flow->merge);
	sync_flow_watermark_apply(flow, work->full_refresh);
	if (flow->fetched)
		sync_flow_fetch_begin(flow, work->full_refresh);
	reader = sync_stage_read(flow->source, &flow->reading);
	flow->merge.expected = sync_stage_expected(reader);
	sync_shmem_progress_phase(SYNC_PHASE_COMPARING,
							  (int64) flow->merge.expected,
							  false);
	sync_merge_compare(&flow->merge,
					   sync_stage_next,
					   reader,
					   work->delta ? sync_merge_delta_put
					   : written   ? sync_merge_written_put
								   : NULL,
					   work->delta ? (void *) work->delta : written,
					   &work->counts);
	sync_stage_read_end(reader);
	if (flow->fetched)
		sync_flow_fetch_end(flow);
	if (flow->reading.refused > 0 && work->counts.deleted > 0)
		keep_gone(work);
	if (written)
	{
		sync_merge_foresee(&flow->merge, written, &work->counts);
		sync_kit_staged_free(written);
	}

	work->run->rows_read = sync_stage_rows(reader);
	work->run->bytes = sync_stage_bytes(flow->source);
	add_details(work, sync_stage_superseded(reader));
	if (work->run->rows_read == 0 && !flow->merge.partial)
		ereport(WARNING,
				errcode(ERRCODE_NO_DATA),
				errmsg("the source of %s is empty", work->stream->label));
}

/*
 * Write what was staged.
 */
void
sync_flow_run_write(SyncFlowRun *work)
{
	sync_flow_keep(work->flow, work->delta);
	sync_merge_apply(&work->flow->merge, work->delta, &work->counts);
}

/*
 * Delete what is gone, where sync_flow_run_write was to leave that for later.
 */
void
sync_flow_run_write_gone(SyncFlowRun *work)
{
	sync_merge_apply_gone(&work->flow->merge, work->delta, &work->counts);
}

/*
 * Check constraints that are deferred, where sync_flow_run_write was to leave
 * that for later.
 */
void
sync_flow_run_check(SyncFlowRun *work)
{
	sync_merge_check_deferred(work->flow->target);
	sync_merge_defer_again(work->flow->target);
}

/*
 * Sum up, and leave what is to be kept of a run that wrote.
 */
void
sync_flow_run_finish(SyncFlowRun *work)
{
	SyncFlow *flow = work->flow;

	if (work->delta)
		sync_merge_delta_free(work->delta);
	sum_up(work);
	sync_flow_rejects_check(flow->rejects, work->run->rows_read);
	if (!work->dry_run)
	{
		sync_shmem_progress_phase(SYNC_PHASE_CHECKING, -1, false);
		sync_flow_verify(flow, work->run);
		sync_shmem_progress_phase(SYNC_PHASE_FINISHING, -1, false);
		leave_history(work);
	}
	sync_flow_close(flow);
}

/*
 * The run that writes.
 */
static void
perform_writing(void *work)
{
	PreventCommandIfReadOnly("sync_run()");
	sync_flow_step(work, perform);
}

/*
 * The run itself.  The snapshot is taken when the target is locked: an earlier
 * one might not show what the run before this one has written.
 */
static void
perform(SyncFlowRun *work)
{
	sync_flow_run_open(work);
	if (!work->dry_run)
		sync_flow_run_lock(work);
	sync_flow_run_connect(work);

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	sync_flow_run_compare(work);
	PopActiveSnapshot();

	if (!work->dry_run)
		sync_flow_run_write(work);
	sync_flow_run_finish(work);
}

/*
 * Let rows stay that the source seems not to have: among those that could not
 * be read may be theirs.
 */
static void
keep_gone(SyncFlowRun *work)
{
	ereport(WARNING,
			errcode(ERRCODE_WARNING),
			errmsg("%s deletes nothing, as " INT64_FORMAT
				   " rows of its source could not be read",
				   work->stream->label,
				   work->flow->reading.refused),
			errdetail("Of the target, " INT64_FORMAT
					  " rows are not among those that could be read.",
					  work->counts.deleted));
	work->counts.deleted = 0;
	work->flow->merge.gone_stays = true;
	if (work->delta)
		sync_merge_delta_keep_gone(work->delta);
}

/*
 * What else history says of the run.
 */
static void
add_details(SyncFlowRun *work, int64 superseded)
{
	if (superseded > 0)
		sync_history_add_detail(work->run,
								"superseded",
								psprintf(INT64_FORMAT, superseded));
	sync_flow_watermark_describe(work->flow, work->run);
	sync_flow_fetch_describe(work->flow, work->run);
}

/*
 * Put the counts into the run.
 */
static void
sum_up(SyncFlowRun *work)
{
	SyncRun *run = work->run;
	SyncCounts *counts = &work->counts;

	run->inserted = counts->inserted;
	run->updated = counts->updated;
	run->unchanged = counts->unchanged;
	run->deleted = counts->deleted;
	run->rejected = sync_flow_rejects_count(work->flow->rejects);
}

/*
 * Leave a row in history, and what belongs to it.
 */
static void
leave_history(SyncFlowRun *work)
{
	SyncFlow *flow = work->flow;
	int64 history_id = sync_history_succeeded(work->run);

	sync_flow_rejects_store(flow->rejects, history_id);
	sync_flow_watermark_store(flow);
	sync_flow_fetch_store(flow);
	if (flow->kept)
		sync_undo_finish(flow->kept, history_id);
}

/*
 * Error context: which stream was at work.
 */
static void
name_stream(void *arg)
{
	SyncStream *stream = arg;

	errcontext("while running %s", stream->label);
}
