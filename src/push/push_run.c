/*-------------------------------------------------------------------------
 *
 * push_run.c
 *	  The steps of a push, from one request to the next.
 *
 * The rows of the next request are gathered while there is no transaction.  Then
 * one transaction notes what became of the last request, and that the next one is
 * about to be sent; only when that is committed it is.  What ends a push is raised
 * once that, too, is committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "alert/alert.h"
#include "kit/kit_error.h"
#include "kit/kit_settings.h"
#include "push/push.h"

/* a push ends when the provider has refused so many requests, and taken none */
#define REFUSALS_MAX 10

static void open_senders(SyncPushing *pushing);
static void send(SyncPushing *pushing);
static bool go_on(SyncPushing *pushing, int64 *wait_ms);
static bool take_error(SyncPushing *pushing, ErrorData *error);
static void look_at_answer(SyncPushing *pushing);
static void count(SyncPushing *pushing);
static void tell(SyncPushing *pushing);

/*
 * A push for a tenant (NULL: none), in the current memory context, which is to be
 * opened yet.
 */
SyncPushing *
sync_push_new(SyncPush *push, const int64 *tenant)
{
	SyncPushing *pushing = palloc0(sizeof(SyncPushing));

	pushing->push = push;
	pushing->context = CurrentMemoryContext;
	pushing->scratch = AllocSetContextCreate(CurrentMemoryContext,
											 "sync push scratch",
											 ALLOCSET_DEFAULT_SIZES);
	sync_history_start(&pushing->run, "push");
	pushing->run.subject = push->name;
	pushing->run.environment = sync_guc_environment;
	pushing->run.commits = true;
	if (tenant)
	{
		pushing->whose = *tenant;
		pushing->tenant = &pushing->whose;
		pushing->run.tenant = psprintf(INT64_FORMAT, *tenant);
	}
	return pushing;
}

/*
 * Open a push: read what is to be sent, in the current transaction.  It has to be
 * closed, unless this raises.  "dry_run": nothing will be sent or written.
 */
void
sync_push_open(SyncPushing *pushing, bool dry_run)
{
	PG_TRY();
	{
		open_senders(pushing);
		if (!dry_run)
		{
			PreventCommandIfReadOnly("sync_push()");
			pushing->lock =
				sync_push_lock(pushing->push->name, pushing->tenant);
		}
		sync_push_read(pushing);
		sync_push_check_deletes(pushing);
	}
	PG_CATCH();
	{
		sync_push_close(pushing);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * Open the endpoints, which share a credential.
 */
static void
open_senders(SyncPushing *pushing)
{
	const char **endpoints = pushing->push->endpoints;

	for (int i = 0; i < SYNC_PUSH_ACTIONS; i++)
		if (endpoints[i])
			pushing->senders[i] =
				sync_provider_open_push(endpoints[i],
										NULL,
										pushing->tenant,
										pushing->senders[SYNC_PUSH_CREATE]);
}

/*
 * Go on without waiting, in no transaction or in one that holds nothing: until
 * something has to be stored, or waited for (*wait_ms, or a transfer where that
 * is -1), or all is done.
 */
SyncPushStep
sync_push_step(SyncPushing *pushing, int64 *wait_ms)
{
	*wait_ms = -1;
	if (pushing->error)
	{
		count(pushing);
		sync_kit_prospect_note(pushing->error, pushing->prospect);
		ReThrowError(pushing->error);
	}
	if (pushing->batch && !pushing->under_way)
		send(pushing);
	if (pushing->batch && !go_on(pushing, wait_ms))
		return SYNC_PUSH_WAIT;
	if (pushing->error == NULL)
		pushing->next = sync_push_gather(pushing);
	if (pushing->batch || pushing->next)
		return SYNC_PUSH_STORE;
	return SYNC_PUSH_END;
}

/*
 * Begin to send the rows at hand.
 */
static void
send(SyncPushing *pushing)
{
	SyncPushBatch *batch = pushing->batch;
	SyncFetch *sender = pushing->senders[batch->action];
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	List *items = NIL;
	ListCell *cell;

	foreach(cell, batch->rows)
		items = lappend(items, &((SyncPushRow *) lfirst(cell))->item);
	pushing->under_way = true;
	sync_provider_set_params(sender, batch->params);
	sync_provider_send(sender, items, batch->name);
	MemoryContextSwitchTo(caller);
}

/*
 * Go on sending; false: there is something to wait for.  What goes wrong is kept,
 * since it is to be stored first what became of the rows.
 */
static bool
go_on(SyncPushing *pushing, int64 *wait_ms)
{
	SyncFetch *sender = pushing->senders[pushing->batch->action];
	MemoryContext caller = CurrentMemoryContext;
	volatile SyncFetchStep step = SYNC_FETCH_END;

	PG_TRY();
	{
		step = sync_provider_step(sender, NULL, wait_ms);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(pushing->context);
		error = CopyErrorData();
		if (!take_error(pushing, error))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	if (step == SYNC_FETCH_WAIT)
		return false;
	pushing->batch->sent = true;
	look_at_answer(pushing);
	return true;
}

/*
 * Take an error that came while rows were sent.  One that says that no request
 * can be made of a single row is a fault of the row; others end the push.  False:
 * it is to be raised at once, which leaves the rows as they are.
 */
static bool
take_error(SyncPushing *pushing, ErrorData *error)
{
	SyncPushBatch *batch = pushing->batch;
	SyncPushRow *row = linitial(batch->rows);
	ListCell *cell;

	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		return false;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION &&
		row->item.state == SYNC_ITEM_WAITING && list_length(batch->rows) == 1)
	{
		row->item.state = SYNC_ITEM_FAILED;
		row->item.message = error->message;
		return true;
	}
	foreach(cell, batch->rows)
	{
		row = lfirst(cell);
		if (row->item.state == SYNC_ITEM_UNKNOWN)
			row->item.message = error->message;
	}
	pushing->error = error;
	pushing->prospect = sync_kit_prospect_take(error);
	return true;
}

/*
 * Give up where the provider takes nothing at all: it is not the rows then.
 */
static void
look_at_answer(SyncPushing *pushing)
{
	bool refused = true;
	ListCell *cell;

	foreach(cell, pushing->batch->rows)
		if (((SyncPushRow *) lfirst(cell))->item.state != SYNC_ITEM_FAILED)
			refused = false;
	if (!refused)
		pushing->any_taken = true;
	else
		pushing->refused++;
	if (pushing->error || pushing->any_taken || pushing->refused < REFUSALS_MAX)
		return;
	PG_TRY();
	{
		SyncPushRow *row = linitial(pushing->batch->rows);

		ereport(ERROR,
				errcode(SYNC_ERRCODE_HTTP_STATUS),
				errmsg("endpoint \"%s\" refuses what is pushed",
					   pushing->push->endpoints[pushing->batch->action]),
				errdetail("%d requests were refused, and none was taken; the last one: %s",
						  pushing->refused,
						  row->item.message ? row->item.message
											: "no reason given."),
				errhint("Column error of sync_pushed has the reasons."));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(pushing->context);
		pushing->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
}

/*
 * Store what became of the rows that were sent, that the next ones are about to
 * be, and a token, in the current transaction, which is to be committed then.
 */
void
sync_push_store(SyncPushing *pushing)
{
	for (int i = 0; i < SYNC_PUSH_ACTIONS; i++)
		if (pushing->senders[i])
			sync_provider_settle_token(pushing->senders[i]);
	if (pushing->batch)
	{
		sync_push_settle(pushing, pushing->batch);
		sync_push_free_batch(pushing->batch);
	}
	pushing->batch = pushing->next;
	pushing->next = NULL;
	pushing->under_way = false;
	if (pushing->batch)
		sync_push_mark(pushing, pushing->batch);
	if (pushing->error)
		tell(pushing);
}

/*
 * Leave a row in history, in the current transaction, and an alert where there is
 * something to tell.
 */
void
sync_push_finish(SyncPushing *pushing)
{
	count(pushing);
	(void) sync_history_succeeded(&pushing->run);
	tell(pushing);
}

/*
 * Raise one alert where rows have failed that had not before.
 */
static void
tell(SyncPushing *pushing)
{
	if (pushing->new_failures == 0)
		return;
	sync_alert_raise("push_failed",
					 pushing->push->name,
					 psprintf("the provider does not take " INT64_FORMAT
							  " more rows; the first of them: %s",
							  pushing->new_failures,
							  pushing->first_failure),
					 0);
	pushing->new_failures = 0;
}

/*
 * Put the counts of requests where history has them.
 */
static void
count(SyncPushing *pushing)
{
	SyncRun *run = &pushing->run;
	int64 retries = 0;
	int64 waited_ms = 0;
	int64 requests = 0;

	run->bytes = 0;
	for (int i = 0; i < SYNC_PUSH_ACTIONS; i++)
		if (pushing->senders[i])
		{
			const SyncFetchCounts *counts =
				sync_provider_counts(pushing->senders[i]);

			run->bytes += counts->sent_bytes;
			requests += counts->requests;
			retries += counts->retries;
			waited_ms += counts->waited_ms;
		}
	run->details =
		psprintf("{\"requests\": " INT64_FORMAT ", \"retries\": " INT64_FORMAT
				 ", \"waited_ms\": " INT64_FORMAT ", \"unknown\": " INT64_FORMAT
				 "}",
				 requests,
				 retries,
				 waited_ms,
				 pushing->unknown);
}

/*
 * Close a push, at the end or before it.  Raises nothing.
 */
void
sync_push_close(SyncPushing *pushing)
{
	for (int i = 0; i < SYNC_PUSH_ACTIONS; i++)
		if (pushing->senders[i])
			sync_provider_close(pushing->senders[i]);
	memset(pushing->senders, 0, sizeof(pushing->senders));
	if (pushing->todo)
		sync_kit_staged_free(pushing->todo);
	pushing->todo = NULL;
	if (pushing->lock)
		sync_push_unlock(pushing->lock);
	pushing->lock = NULL;
}
