/*-------------------------------------------------------------------------
 *
 * flow_task.c
 *	  Running a stream from an endpoint as a task, without a transaction while
 *	  the provider is waited for: the driver "fetch".
 *
 * A short transaction loads all that is needed.  Pages are kept as they come
 * (flow_pages.c), each in a short one, and when all are there one transaction
 * merges them, moves the watermark, leaves the row in history and ends the task.
 * If another run of the stream wrote meanwhile, what was fetched may be older
 * than what is there: it is dropped, and the task tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "flow/flow_path.h"
#include "flow/flow_task.h"

/* so much is merged beside others */
#define SMALL_BYTES (256 * 1024)

static void *begin(SyncTask *task);
static SyncDriveStep step(void *state, int64 *wait_ms);
static void store(void *state);
static Datum *finish(void *state);
static bool finishes_with(void *first, void *state);
static void close_fetches(void *state);
static bool is_small(SyncFetching *fetching);
static void read_payload(SyncFetching *fetching, SyncTask *task);
static SyncStream *load_stream(SyncFetching *fetching);
static const char *describe(SyncFlow *flow, SyncEndpointReader *reader);
static bool next_given(void *fetching, SyncKeptPage *page);
static bool next_removed(void *fetching, SyncKeptPage *page);
static Datum *count_run(SyncFetching *fetching, SyncRun *run);
static void name_stream(void *fetching);

static const SyncDriver driver = {
	.handler = "sync_sql_task_fetch",
	.begin = begin,
	.step = step,
	.store = store,
	.finish = finish,
	.finishes_with = finishes_with,
	.close = close_fetches,
};

/*
 * Have streams from endpoints fetched as tasks.  Called once from _PG_init.
 */
void
sync_flow_task_init(void)
{
	sync_queue_add_driver(&driver);
	sync_history_on_purge("pages", sync_flow_pages_purge);
}

/*
 * Fetch and merge, for a handler that is called as any function is.
 */
Datum
sync_flow_task_perform(FunctionCallInfo fcinfo)
{
	return sync_queue_drive_plainly(&driver, fcinfo);
}

/*
 * Load all that is needed to fetch; see SyncDriver.
 */
static void *
begin(SyncTask *task)
{
	SyncFetching *fetching = palloc0(sizeof(SyncFetching));
	SyncStream *stream;
	SyncFlow *flow;
	int settings;

	fetching->task = task;
	read_payload(fetching, task);
	stream = load_stream(fetching);
	settings = sync_flow_path_enter(stream);
	PushActiveSnapshot(GetTransactionSnapshot());
	flow = sync_flow_open_target(stream);
	sync_flow_open_source(flow);
	sync_flow_fetch_open(flow, fetching->full_refresh);
	fetching->reader = flow->fetched;
	fetching->target = RelationGetRelid(flow->target->relation);
	fetching->part = sync_flow_part(flow);
	fetching->definition = describe(flow, fetching->reader);
	sync_provider_keep_pages(fetching->reader->given.fetch);
	if (fetching->reader->removed.fetch)
		sync_provider_keep_pages(fetching->reader->removed.fetch);
	sync_flow_pages_take_up(fetching);
	flow->source = NULL; /* its records come later */
	sync_flow_close(flow);
	PopActiveSnapshot();
	sync_flow_path_leave(settings);
	return fetching;
}

/*
 * Go on to the next page; see SyncDriver.
 */
static SyncDriveStep
step(void *state, int64 *wait_ms)
{
	SyncFetching *fetching = state;
	SyncEndpointReader *reader = fetching->reader;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_stream,
		.arg = fetching,
	};
	SyncDriveStep result = SYNC_DRIVE_DONE;

	error_context_stack = &frame;
	while (reader->at && result == SYNC_DRIVE_DONE)
		switch (sync_provider_step(reader->at->fetch, NULL, wait_ms))
		{
			case SYNC_FETCH_RECORD:
				fetching->came = true;
				result = SYNC_DRIVE_STORE;
				break;
			case SYNC_FETCH_WAIT:
				result = sync_provider_token_unsettled(reader->at->fetch)
							 ? SYNC_DRIVE_STORE
							 : SYNC_DRIVE_WAIT;
				break;
			case SYNC_FETCH_END:
				reader->at = sync_flow_fetch_part_after(reader);
		}
	error_context_stack = frame.previous;
	return result;
}

/*
 * Keep the page that came, and a token; see SyncDriver.
 */
static void
store(void *state)
{
	SyncFetching *fetching = state;
	SyncEndpointPart *at = fetching->reader->at;
	/* there may be thousands of pages before the task ends */
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext,
											   "sync page to keep",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(page);

	sync_provider_settle_token(at->fetch);
	if (fetching->came)
		sync_flow_pages_keep(fetching,
							 at == &fetching->reader->removed,
							 sync_provider_kept_page(at->fetch));
	fetching->came = false;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(page);
}

/*
 * Merge the pages; see SyncDriver.
 */
static Datum *
finish(void *state)
{
	SyncFetching *fetching = state;
	SyncEndpointReader *reader = fetching->reader;
	SyncStream *stream = load_stream(fetching);
	SyncRun *run;
	int64 kept;

	/* those that were kept a moment ago count too */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	kept = sync_flow_pages_gather(fetching);
	PopActiveSnapshot();
	if (kept < fetching->npages)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("pages of %s are missing", stream->label),
				errdetail("Somebody deleted them from sync_pages."));
	sync_provider_read_kept(reader->given.fetch, next_given, fetching);
	if (reader->removed.fetch)
		sync_provider_read_kept(reader->removed.fetch, next_removed, fetching);
	reader->at = &reader->given;
	stream->endpoint->fetched = reader;
	stream->endpoint->fetched_as = fetching->definition;
	stream->endpoint->describe = describe;
	run = sync_flow_run(stream, false, fetching->full_refresh);
	sync_flow_pages_drop(fetching);
	return count_run(fetching, run);
}

/*
 * May it be merged in the transaction of another one?  It waits there for the
 * others, and is lost with them.  None of them may be waited for; see SyncDriver.
 */
static bool
finishes_with(void *first, void *state)
{
	SyncFetching *fetchings[] = {first, state};

	return strcmp(fetchings[0]->stream, fetchings[1]->stream) == 0 &&
		   is_small(fetchings[0]) && is_small(fetchings[1]) &&
		   sync_merge_lock(fetchings[1]->target, fetchings[1]->part, false);
}

/*
 * Stop what is under way; see SyncDriver.
 */
static void
close_fetches(void *state)
{
	SyncEndpointReader *reader = ((SyncFetching *) state)->reader;

	if (reader->given.fetch)
		sync_provider_stop(reader->given.fetch);
	if (reader->removed.fetch)
		sync_provider_stop(reader->removed.fetch);
}

/*
 * Is what came so little that merging it takes no time to speak of?
 */
static bool
is_small(SyncFetching *fetching)
{
	return fetching->taken_up == 0 &&
		   sync_flow_fetch_bytes(fetching->reader) <= SMALL_BYTES;
}

/*
 * Read what the task asks for: {"stream": name, "params": object, "full_refresh":
 * boolean}.  The tenant is the task's; a handler that is called by hand has none
 * but timing_partner_id.
 */
static void
read_payload(SyncFetching *fetching, SyncTask *task)
{
	JsonbValue *payload = sync_kit_json_value(DatumGetJsonbP(task->payload));
	JsonbValue *params = sync_kit_json_member(payload, "params");

	fetching->queue_id = psprintf(INT64_FORMAT, task->queue_id);
	fetching->stream = sync_kit_json_string(payload, "stream");
	if (fetching->stream == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the payload of task " INT64_FORMAT " names no stream",
					   task->queue_id),
				errhint("It is {\"stream\": name}, with params and full_refresh if need be."));
	fetching->full_refresh =
		sync_kit_json_boolean(payload, "full_refresh", false);
	if (params && params->type != jbvNull)
	{
		if (!sync_kit_json_is_object(params))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("parameters of an endpoint must be a JSON object"));
		fetching->params = sync_kit_json_of(params);
	}
	fetching->has_tenant = task->has_partner;
	fetching->tenant = task->timing_partner_id;
	if (!task->has_partner &&
		sync_kit_json_string(payload, "timing_partner_id"))
	{
		fetching->has_tenant = true;
		fetching->tenant =
			sync_kit_json_integer(payload, "timing_partner_id", 0);
	}
	else if (!task->has_partner)
		fetching->has_tenant =
			sync_queue_partner_of(fetching->queue_id, &fetching->tenant);
}

/*
 * Load the stream, and say what the task asks of it.
 */
static SyncStream *
load_stream(SyncFetching *fetching)
{
	SyncStream *stream = sync_flow_load(fetching->stream);

	if (stream->endpoint == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("%s cannot be fetched", stream->label),
				errdetail("Its source is no endpoint."),
				errhint("Use operation type stream."));
	sync_flow_ask(stream,
				  fetching->has_tenant ? &fetching->tenant : NULL,
				  fetching->params);
	return stream;
}

/*
 * All that decides about what is fetched, and which run was the last: where this
 * differs, pages are of no use.
 */
static const char *
describe(SyncFlow *flow, SyncEndpointReader *reader)
{
	SyncFlowEndpoint *given = flow->stream->endpoint;
	StringInfoData text;
	SyncRun run = {
		.operation = "stream",
		.subject = flow->stream->name,
		.tenant = reader->tenant,
	};

	initStringInfo(&text);
	appendStringInfo(&text,
					 "%s %s " INT64_FORMAT,
					 sync_flow_endpoint_digest(flow, reader->given.endpoint),
					 given->asked ? given->asked : "",
					 sync_history_last(&run, given->asked));
	if (reader->removed.endpoint)
		appendStringInfo(&text,
						 " %s",
						 sync_flow_endpoint_digest(flow,
												   reader->removed.endpoint));
	return text.data;
}

/*
 * The next page of the endpoint that the stream names; a SyncKeptNext.
 */
static bool
next_given(void *arg, SyncKeptPage *page)
{
	SyncFetching *fetching = arg;

	return sync_flow_pages_next(fetching, 0, &fetching->places[0], page);
}

/*
 * The next page of the one that says what was removed; a SyncKeptNext.
 */
static bool
next_removed(void *arg, SyncKeptPage *page)
{
	SyncFetching *fetching = arg;

	return sync_flow_pages_next(fetching, 1, &fetching->places[1], page);
}

/*
 * What history says of the task: the counts of the run, as jsonb.
 */
static Datum *
count_run(SyncFetching *fetching, SyncRun *run)
{
	Datum *details = palloc(sizeof(Datum));

	*details =
		JsonbPGetDatum(sync_kit_json_parse(psprintf("{\"rows_read\": " INT64_FORMAT
													", \"inserted\": " INT64_FORMAT
													", \"updated\": " INT64_FORMAT
													", \"unchanged\": " INT64_FORMAT
													", \"deleted\": " INT64_FORMAT
													", \"rejected\": " INT64_FORMAT
													", \"bytes\": " INT64_FORMAT
													", \"pages\": " INT64_FORMAT
													", \"taken_up\": " INT64_FORMAT
													"}",
													run->rows_read,
													run->inserted,
													run->updated,
													run->unchanged,
													run->deleted,
													run->rejected,
													run->bytes,
													fetching->npages,
													fetching->taken_up)));
	return details;
}

/*
 * Error context: which stream is fetched.
 */
static void
name_stream(void *arg)
{
	errcontext("while fetching for stream \"%s\"",
			   ((SyncFetching *) arg)->stream);
}
