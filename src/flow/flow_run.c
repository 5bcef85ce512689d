/*-------------------------------------------------------------------------
 *
 * flow_run.c
 *	  A run of a stream: read, compare, write what differs, leave a row in
 *	  history.
 *
 * All of it is one transaction, the caller's.  Two runs never write into one
 * target at once: the second waits for the first, and compares only then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "flow/flow_watermark.h"
#include "kit/kit_settings.h"
#include "shmem/shmem_progress.h"

/* A stream, and what history will say of its run */
typedef struct StreamRun
{
	SyncStream *stream;
	SyncRun *run;
	bool dry_run;
	bool full_refresh;
} StreamRun;

static SyncRun *start_run(SyncStream *stream);
static void perform_writing(void *arg);
static void perform(StreamRun *work);
static SyncDelta *compare(StreamRun *work, SyncFlow *flow, SyncCounts *counts);
static void add_details(SyncRun *run, SyncFlow *flow, int64 superseded);
static void keep_gone(StreamRun *work,
					  SyncFlow *flow,
					  SyncDelta *delta,
					  SyncCounts *counts);
static void sum_up(StreamRun *work, SyncFlow *flow, SyncCounts *counts);
static void finish_run(StreamRun *work, SyncFlow *flow);
static void name_stream(void *stream);

/*
 * Run a stream, or find out what running it would do.  Returns the counts, in
 * the current memory context.  A run that writes leaves a row in sync_history,
 * also when it raises.
 */
SyncRun *
sync_flow_run(SyncStream *stream, bool dry_run, bool full_refresh)
{
	StreamRun work = {
		.stream = stream,
		.run = start_run(stream),
		.dry_run = dry_run,
		.full_refresh = full_refresh,
	};

	sync_shmem_progress_begin(work.run->operation, work.run->subject, dry_run);
	if (dry_run)
		perform(&work);
	else
		sync_history_guard(work.run, perform_writing, &work);
	sync_shmem_progress_end();
	return work.run;
}

/*
 * What history will say of the run.
 */
static SyncRun *
start_run(SyncStream *stream)
{
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
	return run;
}

/*
 * The run that writes.
 */
static void
perform_writing(void *work)
{
	PreventCommandIfReadOnly("sync_run()");
	perform(work);
}

/*
 * The run itself.
 */
static void
perform(StreamRun *work)
{
	SyncCounts counts = {0};
	SyncFlow *flow;
	SyncDelta *delta;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_stream,
		.arg = work->stream,
	};

	error_context_stack = &frame;
	flow = sync_flow_open_target(work->stream);
	if (!work->dry_run)
	{
		sync_shmem_progress_phase(SYNC_PHASE_WAITING, -1, false);
		sync_merge_lock_target(flow->target);
	}
	sync_shmem_progress_phase(SYNC_PHASE_CONNECTING, -1, false);
	sync_flow_open_source(flow);

	delta = compare(work, flow, &counts);
	if (delta)
	{
		sync_flow_keep(flow, delta);
		sync_merge_apply(&flow->merge, delta, &counts);
		sync_merge_delta_free(delta);
	}
	sum_up(work, flow, &counts);
	sync_flow_rejects_check(flow->rejects, work->run->rows_read);
	if (!work->dry_run)
	{
		sync_shmem_progress_phase(SYNC_PHASE_CHECKING, -1, false);
		sync_flow_verify(flow, work->run);
		sync_shmem_progress_phase(SYNC_PHASE_FINISHING, -1, false);
		finish_run(work, flow);
	}
	sync_flow_close(flow);
	error_context_stack = frame.previous;
}

/*
 * Compare both ends under one snapshot, taken now: an earlier one might not show
 * what the run before this one has written.  Returns what is to be written, NULL
 * in a dry run.
 */
static SyncDelta *
compare(StreamRun *work, SyncFlow *flow, SyncCounts *counts)
{
	SyncDelta *delta =
		work->dry_run ? NULL : sync_merge_delta_create(&flow->merge);
	SyncReader *reader;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	sync_flow_watermark_apply(flow, work->full_refresh);
	reader = sync_stage_read(flow->source, &flow->reading);
	flow->merge.expected = sync_stage_expected(reader);
	sync_shmem_progress_phase(SYNC_PHASE_COMPARING,
							  (int64) flow->merge.expected,
							  false);
	sync_merge_compare(&flow->merge,
					   sync_stage_next,
					   reader,
					   delta ? sync_merge_delta_put : NULL,
					   delta,
					   counts);
	sync_stage_read_end(reader);
	PopActiveSnapshot();
	if (flow->reading.refused > 0 && counts->deleted > 0)
		keep_gone(work, flow, delta, counts);

	work->run->rows_read = sync_stage_rows(reader);
	work->run->bytes = sync_stage_bytes(flow->source);
	add_details(work->run, flow, sync_stage_superseded(reader));
	if (work->run->rows_read == 0 && !flow->merge.partial)
		ereport(WARNING,
				errcode(ERRCODE_NO_DATA),
				errmsg("the source of %s is empty", work->stream->label));
	return delta;
}

/*
 * Let rows stay that the source seems not to have: among those that could not
 * be read may be theirs.
 */
static void
keep_gone(StreamRun *work, SyncFlow *flow, SyncDelta *delta, SyncCounts *counts)
{
	ereport(WARNING,
			errcode(ERRCODE_WARNING),
			errmsg("%s deletes nothing, as " INT64_FORMAT
				   " rows of its source could not be read",
				   work->stream->label,
				   flow->reading.refused),
			errdetail("Of the target, " INT64_FORMAT
					  " rows are not among those that could be read.",
					  counts->deleted));
	counts->deleted = 0;
	if (delta)
		sync_merge_delta_keep_gone(delta);
}

/*
 * What else history says of the run.
 */
static void
add_details(SyncRun *run, SyncFlow *flow, int64 superseded)
{
	const char *everything = sync_flow_watermark_everything(flow);
	StringInfoData json;

	if (superseded > 0)
		sync_history_add_detail(run,
								"superseded",
								psprintf(INT64_FORMAT, superseded));
	if (everything == NULL)
		return;
	initStringInfo(&json);
	escape_json(&json, everything);
	sync_history_add_detail(run, "read_everything", json.data);
}

/*
 * Put the counts into the run.
 */
static void
sum_up(StreamRun *work, SyncFlow *flow, SyncCounts *counts)
{
	SyncRun *run = work->run;

	run->inserted = counts->inserted;
	run->updated = counts->updated;
	run->unchanged = counts->unchanged;
	run->deleted = counts->deleted;
	run->rejected = sync_flow_rejects_count(flow->rejects);
}

/*
 * Leave a row in history, and what belongs to it.
 */
static void
finish_run(StreamRun *work, SyncFlow *flow)
{
	int64 history_id = sync_history_succeeded(work->run);

	sync_flow_rejects_store(flow->rejects, history_id);
	sync_flow_watermark_store(flow);
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
