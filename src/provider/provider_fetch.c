/*-------------------------------------------------------------------------
 *
 * provider_fetch.c
 *	  A fetch: for each parent, for each page, a request, its answer, its
 *	  records.
 *
 * It takes steps (sync_provider_step) and returns where it has to wait, so that
 * one process can drive many.  After it was opened it reads no table, and
 * needs no transaction.  A request that did not work is made again, as the
 * outcome of its answer says, after the time that it says; but not once records
 * of it were handed out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "provider/provider_bad.h"
#include "provider/provider_count.h"
#include "provider/provider_known.h"
#include "provider/provider_limit.h"
#include "provider/provider_push.h"
#include "provider/provider_records.h"

static bool has_records(SyncFetch *fetch);
static SyncFetchStep take_step(SyncFetch *fetch, Jsonb **record, int64 *wait_ms);
static bool hand_out(SyncFetch *fetch, Jsonb **record);
static bool read_line(SyncFetch *fetch);
static bool send_request(SyncFetch *fetch, int64 *wait_ms);
static void hold(SyncFetch *fetch, int64 wait_ms);
static void clear_page(SyncFetch *fetch);
static bool is_answered(SyncFetch *fetch, int64 *wait_ms);
static void take_answer(SyncFetch *fetch);
static void take_document(SyncFetch *fetch,
						  JsonbValue *document,
						  const char *text);
static void end_push(SyncFetch *fetch);
static void settle_page(SyncFetch *fetch);
static void end_request(SyncFetch *fetch);

/*
 * Take as many steps as can be taken without waiting: up to the next record,
 * which is valid until the next call, to the end, or to where something has to be
 * waited for: *wait_ms, or a transfer where that is -1.  Where "record" is NULL,
 * sync_provider_value gives what is wanted of it.
 */
SyncFetchStep
sync_provider_step(SyncFetch *fetch, Jsonb **record, int64 *wait_ms)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = sync_provider_name_fetch,
		.arg = fetch,
	};
	MemoryContext caller = MemoryContextSwitchTo(fetch->scratch);
	SyncFetchStep step;

	MemoryContextReset(fetch->scratch);
	error_context_stack = &frame;
	if (has_records(fetch) && hand_out(fetch, record))
		step = SYNC_FETCH_RECORD;
	else
		step = sync_provider_count_step(fetch, take_step, record, wait_ms);
	error_context_stack = frame.previous;
	MemoryContextSwitchTo(caller);
	return step;
}

/*
 * The next record, NULL after the last; waits for it, in the foreground.
 */
Jsonb *
sync_provider_next(SyncFetch *fetch)
{
	return sync_provider_advance(fetch) ? sync_provider_record(fetch) : NULL;
}

/*
 * Go to the next record, of which sync_provider_value gives what is wanted;
 * false: after the last.  Waits for it, in the foreground.
 */
bool
sync_provider_advance(SyncFetch *fetch)
{
	int64 wait_ms;

	if (fetch->transfer)
		sync_provider_drive_ahead(fetch);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (sync_provider_step(fetch, NULL, &wait_ms))
		{
			case SYNC_FETCH_RECORD:
				return true;
			case SYNC_FETCH_END:
				return false;
			case SYNC_FETCH_WAIT:
				sync_http_wait(wait_ms);
		}
	}
}

/*
 * How far a fetch is, with those of its parents.
 */
const SyncFetchCounts *
sync_provider_counts(SyncFetch *fetch)
{
	const SyncFetchCounts *inner;
	SyncFetchCounts *all = palloc(sizeof(SyncFetchCounts));

	*all = fetch->counts;
	if (fetch->parent)
	{
		inner = sync_provider_counts(fetch->parent);
		all->requests += inner->requests;
		all->bytes += inner->bytes;
		all->retries += inner->retries;
		all->waited_ms += inner->waited_ms;
	}
	return all;
}

/*
 * Stop a fetch, at the end or before it; its counts can be asked for still.
 */
void
sync_provider_stop(SyncFetch *fetch)
{
	MemoryContext caller = CurrentMemoryContext;

	if (fetch->transfer)
		end_request(fetch);
	MemoryContextSwitchTo(caller);
	if (fetch->token_transfer)
		sync_http_end(fetch->token_transfer);
	fetch->token_transfer = NULL;
	sync_provider_limit_release(fetch);
	fetch->ended = true;
	if (fetch->parent)
		sync_provider_stop(fetch->parent);
}

/*
 * Close a fetch, at the end or before it.
 */
void
sync_provider_close(SyncFetch *fetch)
{
	MemoryContextDelete(fetch->context);
}

/*
 * Are there records at hand that were not handed out?
 */
static bool
has_records(SyncFetch *fetch)
{
	return !fetch->ended && !sync_provider_is_keeping(fetch) &&
		   fetch->record_at < sync_provider_count(fetch);
}

/*
 * Take steps; see sync_provider_step.
 */
static SyncFetchStep
take_step(SyncFetch *fetch, Jsonb **record, int64 *wait_ms)
{
	for (;;)
	{
		*wait_ms = -1;
		if (fetch->ended)
			return SYNC_FETCH_END;
		if (sync_provider_is_keeping(fetch) ? sync_provider_take_kept(fetch)
											: hand_out(fetch, record))
			return SYNC_FETCH_RECORD;
		if (sync_provider_is_reading(fetch))
			fetch->ended = !sync_provider_next_kept(fetch);
		else if (fetch->streaming)
		{
			if (!read_line(fetch) && fetch->streaming)
				return SYNC_FETCH_WAIT;
		}
		else if (fetch->transfer)
		{
			if (!is_answered(fetch, wait_ms))
				return SYNC_FETCH_WAIT;
			take_answer(fetch);
		}
		else if (fetch->begun && fetch->pager.more)
		{
			clear_page(fetch);
			if (!send_request(fetch, wait_ms))
				return SYNC_FETCH_WAIT;
		}
		else
		{
			SyncFetchStep step = sync_provider_next_subject(fetch, wait_ms);

			if (step == SYNC_FETCH_WAIT)
				return step;
			fetch->ended = step == SYNC_FETCH_END;
		}
	}
}

/*
 * Make the next record of the page, if it has one that is wanted.
 */
static bool
hand_out(SyncFetch *fetch, Jsonb **record)
{
	while (fetch->record_at < sync_provider_count(fetch))
	{
		fetch->found =
			fetch->scanned ? NULL : list_nth(fetch->records, fetch->record_at);
		fetch->record_at++;
		sync_provider_seek_bad(fetch);
		MemoryContextReset(fetch->record);
		MemoryContextSwitchTo(fetch->record);
		if (!sync_provider_is_older(fetch))
		{
			sync_provider_mark_record(fetch);
			if (record)
				*record = sync_provider_record(fetch);
			MemoryContextSwitchTo(fetch->scratch);
			fetch->counts.records++;
			fetch->handed_out++;
			return true;
		}
		MemoryContextSwitchTo(fetch->scratch);

		/* they come in falling order: all that follow are older still */
		fetch->record_at = sync_provider_count(fetch);
		fetch->pager.more = false;
		if (fetch->streaming)
			end_request(fetch);
	}
	return false;
}

/*
 * Read a line of a streamed answer and what is in it; false where none is at
 * hand.
 */
static bool
read_line(SyncFetch *fetch)
{
	Size length;
	bool whole;
	char *line;

	MemoryContextReset(fetch->page);
	MemoryContextSwitchTo(fetch->page);
	sync_provider_forget_records(fetch);
	line = sync_http_line(fetch->transfer, &length, &whole);
	if (line && sync_provider_is_keeping(fetch))
		sync_provider_keep_line(fetch, line, length, whole);
	else if (line)
		sync_provider_take_line(fetch, line, whole);
	MemoryContextSwitchTo(fetch->scratch);
	if (line == NULL && sync_http_state(fetch->transfer) == SYNC_HTTP_DONE)
	{
		sync_provider_note_page(fetch, NULL);
		sync_provider_note_validator(fetch);
		if (sync_provider_is_keeping(fetch))
			sync_provider_keep_line(fetch, NULL, 0, true);
		end_request(fetch);
		fetch->counts.pages++;
	}
	return line != NULL;
}

/*
 * Send the request for the page at hand, unless it has to wait: false.
 */
static bool
send_request(SyncFetch *fetch, int64 *wait_ms)
{
	if (sync_provider_has_to_wait(fetch, wait_ms))
		return false;
	if (!sync_provider_token_ready(fetch, wait_ms))
	{
		if (*wait_ms > 0)
			hold(fetch, *wait_ms);
		return false;
	}

	MemoryContextReset(fetch->sent);
	*wait_ms = sync_provider_limit_wait(fetch, fetch->sent);
	if (*wait_ms > 0)
	{
		hold(fetch, *wait_ms);
		return false;
	}

	MemoryContextSwitchTo(fetch->sent);
	fetch->request = sync_provider_compose(fetch);
	fetch->transfer = sync_provider_limit_start(fetch, fetch->request);
	MemoryContextSwitchTo(fetch->scratch);
	fetch->counts.sent_bytes += fetch->request->body_length;
	sync_provider_set_items(fetch, SYNC_ITEM_UNKNOWN);
	return true;
}

/*
 * Have a request wait for its turn, unless that is too long.
 */
static void
hold(SyncFetch *fetch, int64 wait_ms)
{
	sync_provider_limit_check(fetch);
	sync_provider_wait_for(fetch, wait_ms);
}

/*
 * Forget the page before, all of whose records were handed out.
 */
static void
clear_page(SyncFetch *fetch)
{
	MemoryContextReset(fetch->page);
	sync_provider_forget_records(fetch);
	fetch->scanned = false;
	fetch->handed_out = 0;
}

/*
 * Is there an answer to the request that can be read?  Where that is a redirect,
 * it is followed, unless that has to wait.
 */
static bool
is_answered(SyncFetch *fetch, int64 *wait_ms)
{
	if (sync_http_state(fetch->transfer) == SYNC_HTTP_REDIRECTED)
	{
		if (sync_provider_has_to_wait(fetch, wait_ms))
			return false;
		*wait_ms = sync_provider_limit_follow(fetch, fetch->transfer);
		if (*wait_ms > 0)
		{
			hold(fetch, *wait_ms);
			return false;
		}
		*wait_ms = -1;
	}
	return sync_http_is_readable(fetch->transfer);
}

/*
 * Take the answer to the request, and do what its outcome says.
 */
static void
take_answer(SyncFetch *fetch)
{
	SyncHttpTransfer *transfer = fetch->transfer;
	char *wait =
		sync_kit_json_string(fetch->endpoint->provider->retry, "header");
	int status = sync_http_status(transfer);
	JsonbValue *document = NULL;
	SyncVerdict verdict;
	Size length;
	char *text;

	clear_page(fetch);
	MemoryContextSwitchTo(fetch->page);
	if (!fetch->request->streamed)
		fetch->counts.transfer_us += sync_http_elapsed_us(transfer);
	if (!sync_http_was_sent(transfer))
		sync_provider_set_items(fetch, SYNC_ITEM_WAITING);
	if (sync_http_is_broken(transfer))
	{
		sync_provider_retry_broken(fetch);
		end_request(fetch);
		return;
	}
	sync_http_check(transfer);
	if (fetch->request->streamed && status / 100 == 2)
	{
		fetch->streaming = sync_provider_is_usable(fetch);
		if (!fetch->streaming)
			end_request(fetch);
		MemoryContextSwitchTo(fetch->scratch);
		return;
	}
	fetch->counts.bytes += sync_http_bytes(transfer);
	if (status == 304)
	{
		sync_provider_take_unchanged(fetch);
		if (sync_provider_is_keeping(fetch))
			sync_provider_keep(fetch, NULL);
		settle_page(fetch);
		MemoryContextSwitchTo(fetch->scratch);
		return;
	}

	text = sync_http_text(transfer, &length);
	if (sync_provider_is_json(text, status))
		document = sync_kit_json_value(sync_provider_read_page(fetch, text));
	verdict =
		sync_provider_judge(fetch->endpoint,
							status,
							text,
							document,
							sync_http_header(transfer,
											 wait ? wait : "Retry-After"));
	if (verdict.outcome == SYNC_OUTCOME_FAIL && fetch->items)
	{
		sync_provider_count_outcome(fetch, verdict.outcome);
		sync_provider_refuse_items(fetch, &verdict, status);
		end_push(fetch);
	}
	else if (verdict.outcome != SYNC_OUTCOME_OK)
	{
		sync_provider_retry_verdict(fetch, &verdict, status);
		end_request(fetch);
	}
	else if (fetch->items)
	{
		sync_provider_settle_items(fetch, document, text[0] != '\0');
		sync_provider_count_pushed(fetch);
		end_push(fetch);
	}
	else if (document == NULL && text[0] && !verdict.by_rule)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("the answer of endpoint \"%s\" is not JSON",
					   fetch->endpoint->name));
	else if (sync_provider_is_usable(fetch))
		take_document(fetch, document, text);
	else
		end_request(fetch);
	MemoryContextSwitchTo(fetch->scratch);
}

/*
 * Take the records of a page that came.
 */
static void
take_document(SyncFetch *fetch, JsonbValue *document, const char *text)
{
	if (document && !fetch->scanned)
		sync_provider_take_records(fetch, document);
	sync_provider_note_page(fetch, document);
	if (sync_provider_is_keeping(fetch))
		sync_provider_check_kept(fetch);
	sync_provider_note_validator(fetch);
	if (sync_provider_is_keeping(fetch))
		sync_provider_keep(fetch, document ? text : "");
	settle_page(fetch);
}

/*
 * A page came: its request is done with, and maybe the next one is sent.
 */
static void
settle_page(SyncFetch *fetch)
{
	int64 wait_ms = -1;

	fetch->counts.pages++;
	fetch->tries = 0;
	fetch->authenticated = false;
	sync_http_end(fetch->transfer);
	fetch->transfer = NULL;
	sync_provider_limit_release(fetch);
	if (sync_provider_asks_ahead(fetch))
		(void) send_request(fetch, &wait_ms);
}

/*
 * The rows at hand have been answered.  Some providers want to be left alone
 * for a while then.
 */
static void
end_push(SyncFetch *fetch)
{
	int64 settle_ms =
		sync_kit_json_integer(fetch->endpoint->body, "settle_ms", 0);

	sync_http_end(fetch->transfer);
	fetch->transfer = NULL;
	sync_provider_limit_release(fetch);
	fetch->pager.more = false;
	fetch->ended = true;
	fetch->items = NIL;
	if (settle_ms > 0)
		sync_provider_wait_for(fetch, settle_ms);
}

/*
 * End the request at hand; what it was for is asked for again, or not.
 */
static void
end_request(SyncFetch *fetch)
{
	if (fetch->streaming)
		fetch->counts.bytes += sync_http_bytes(fetch->transfer);
	if (fetch->request->streamed)
		fetch->counts.transfer_us += sync_http_elapsed_us(fetch->transfer);
	fetch->streaming = false;
	fetch->scanned = false;
	fetch->record_at = 0;
	sync_http_end(fetch->transfer);
	fetch->transfer = NULL;
	sync_provider_limit_release(fetch);
	MemoryContextSwitchTo(fetch->scratch);
}
