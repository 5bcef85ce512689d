/*-------------------------------------------------------------------------
 *
 * push_session.c
 *	  Pushing from a session, and looking at what would be pushed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "kit/kit_spi.h"
#include "push/push.h"

static void perform(void *pushing);
static void drive(SyncPushing *pushing);
static SyncHttpRequest *preview(SyncPushing *pushing, SyncPushBatch *batch);
static void count_dry(SyncPushing *pushing, SyncPushBatch *batch);
static void put_row(SyncPushing *pushing,
					SyncPushBatch *batch,
					SyncPushRow *row,
					SyncHttpRequest *request,
					SyncRowSink sink,
					void *arg);
static void name_push(void *pushing);

/*
 * Push, in a procedure that can commit; what belongs to the push has to outlive
 * that.  Leaves a row in history, also where it raises: what was sent until then
 * stays known.
 */
void
sync_push_in_session(SyncPushing *pushing)
{
	sync_history_guard(&pushing->run, perform, pushing);
}

/*
 * The push itself.
 */
static void
perform(void *arg)
{
	SyncPushing *pushing = arg;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_push,
		.arg = pushing,
	};

	error_context_stack = &frame;
	sync_push_open(pushing, false);
	PG_TRY();
	{
		drive(pushing);
		sync_push_finish(pushing);
	}
	PG_FINALLY();
	{
		sync_push_close(pushing);
	}
	PG_END_TRY();
	error_context_stack = frame.previous;
}

/*
 * Take all steps, and wait and commit in between.
 */
static void
drive(SyncPushing *pushing)
{
	for (;;)
	{
		int64 wait_ms;

		CHECK_FOR_INTERRUPTS();
		switch (sync_push_step(pushing, &wait_ms))
		{
			case SYNC_PUSH_END:
				return;
			case SYNC_PUSH_STORE:
				sync_push_store(pushing);
				sync_kit_spi_commit();
				break;
			case SYNC_PUSH_WAIT:
				sync_http_wait((long) wait_ms);
		}
	}
}

/*
 * Count what a push would do, in the current transaction, which need not be able
 * to write.
 */
void
sync_push_dry(SyncPushing *pushing)
{
	SyncPushBatch *batch;

	sync_push_open(pushing, true);
	while ((batch = sync_push_gather(pushing)) != NULL)
	{
		SyncHttpRequest *request = preview(pushing, batch);

		if (request)
			pushing->run.bytes += request->body_length;
		count_dry(pushing, batch);
		sync_push_free_batch(batch);
		CHECK_FOR_INTERRUPTS();
	}
	sync_push_close(pushing);
}

/*
 * Show at most that many rows that a push would send: action, key, id, number of
 * the request, and with the first row of each that.
 */
void
sync_push_diff(SyncPushing *pushing, int max_rows, SyncRowSink sink, void *arg)
{
	SyncPushBatch *batch;
	int rows = 0;

	sync_push_open(pushing, true);
	while (rows < max_rows && (batch = sync_push_gather(pushing)) != NULL)
	{
		SyncHttpRequest *request = preview(pushing, batch);
		ListCell *cell;

		foreach(cell, batch->rows)
		{
			if (rows++ < max_rows)
				put_row(pushing, batch, lfirst(cell), request, sink, arg);
			request = NULL;
		}
		sync_push_free_batch(batch);
		CHECK_FOR_INTERRUPTS();
	}
	sync_push_close(pushing);
}

/*
 * The request that would be sent for a batch, which lives as long as that; NULL
 * where none can be made.
 */
static SyncHttpRequest *
preview(SyncPushing *pushing, SyncPushBatch *batch)
{
	SyncFetch *sender = pushing->senders[batch->action];
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	SyncHttpRequest *volatile request = NULL;
	List *volatile items = NIL;
	ListCell *cell;

	foreach(cell, batch->rows)
		items = lappend(items, &((SyncPushRow *) lfirst(cell))->item);
	sync_provider_set_params(sender, batch->params);
	PG_TRY();
	{
		request = sync_provider_preview(sender, items, batch->name);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(batch->context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION ||
			list_length(items) > 1)
			PG_RE_THROW();
		FlushErrorState();
		((SyncItem *) linitial(items))->state = SYNC_ITEM_FAILED;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return request;
}

/*
 * Count the rows of a request that would be sent.
 */
static void
count_dry(SyncPushing *pushing, SyncPushBatch *batch)
{
	SyncRun *run = &pushing->run;
	ListCell *cell;

	foreach(cell, batch->rows)
	{
		SyncPushRow *row = lfirst(cell);

		if (row->item.state == SYNC_ITEM_FAILED)
			run->rejected++;
		else if (batch->action == SYNC_PUSH_CREATE)
			run->inserted++;
		else if (batch->action == SYNC_PUSH_UPDATE)
			run->updated++;
		else
			run->deleted++;
	}
}

/*
 * Hand on a row that would be sent; "request" is NULL for all but the first of
 * each.
 */
static void
put_row(SyncPushing *pushing,
		SyncPushBatch *batch,
		SyncPushRow *row,
		SyncHttpRequest *request,
		SyncRowSink sink,
		void *arg)
{
	char *cells[] = {
		batch->again ? "again"
					 : unconstify(char *, sync_push_action_name(batch->action)),
		sync_kit_json_text(row->key),
		row->item.remote_id,
		psprintf(INT64_FORMAT, pushing->requests),
		NULL,
		NULL,
		NULL,
	};

	if (request)
	{
		cells[4] = unconstify(char *, request->method);
		cells[5] = sync_http_redact(request->url, request->secrets);
		if (request->body)
			cells[6] = sync_http_redact(pg_any_to_server(request->body,
														 request->body_length,
														 PG_UTF8),
										request->secrets);
	}
	sink(arg, lengthof(cells), cells);
}

/*
 * Error context: what was being pushed.
 */
static void
name_push(void *arg)
{
	SyncPushing *pushing = arg;

	if (pushing->tenant)
		errcontext("while pushing \"%s\" of timing partner " INT64_FORMAT,
				   pushing->push->name,
				   *pushing->tenant);
	else
		errcontext("while pushing \"%s\"", pushing->push->name);
}
