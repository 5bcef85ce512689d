/*-------------------------------------------------------------------------
 *
 * provider_count.c
 *	  Counting what is asked of providers, and what comes of it.
 *
 * A fetch counts for itself, and tells the others (shmem_traffic.c) whenever a
 * request was made or answered, and at its end, whatever ends it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_error.h"
#include "provider/provider_count.h"
#include "shmem/shmem_traffic.h"

static void tell_rest(void *fetch);
static void tell(SyncFetch *fetch);
static void spread(const SyncFetchCounts *counts, int64 *traffic);
static void note_error(SyncFetch *fetch, int64 faults);
static SyncProspect prospect_of(SyncFetch *fetch);
static int64 sum_faults(SyncFetch *fetch);

/*
 * Count for a fetch from now on, until its memory goes.
 */
void
sync_provider_count_begin(SyncFetch *fetch)
{
	MemoryContextCallback *callback =
		MemoryContextAlloc(fetch->context, sizeof(MemoryContextCallback));

	callback->func = tell_rest;
	callback->arg = fetch;
	MemoryContextRegisterResetCallback(fetch->context, callback);
}

/*
 * Take steps that may be about a request, and tell what came of them.
 */
SyncFetchStep
sync_provider_count_step(SyncFetch *fetch,
						 SyncFetchStep (*take)(SyncFetch *, Jsonb **, int64 *),
						 Jsonb **record,
						 int64 *wait_ms)
{
	int64 faults = sum_faults(fetch);
	SyncFetchStep step = SYNC_FETCH_END;

	PG_TRY();
	{
		step = take(fetch, record, wait_ms);
	}
	PG_CATCH();
	{
		note_error(fetch, faults);
		PG_RE_THROW();
	}
	PG_END_TRY();
	/* rows of an answer that comes line by line are told with its end */
	if (fetch->counts.requests != fetch->told.requests ||
		fetch->counts.pages != fetch->told.pages ||
		fetch->counts.pushes != fetch->told.pushes ||
		fetch->counts.tokens != fetch->told.tokens ||
		sum_faults(fetch) != faults)
		tell(fetch);
	return step;
}

/*
 * Count an answer that was not in order.
 */
void
sync_provider_count_outcome(SyncFetch *fetch, SyncOutcome outcome)
{
	static const SyncFault faults[] = {
		[SYNC_OUTCOME_OK] = SYNC_FAULT_UNUSABLE,
		[SYNC_OUTCOME_RETRY] = SYNC_FAULT_UNAVAILABLE,
		[SYNC_OUTCOME_THROTTLE] = SYNC_FAULT_THROTTLED,
		[SYNC_OUTCOME_AUTHENTICATE] = SYNC_FAULT_UNAUTHORIZED,
		[SYNC_OUTCOME_FAIL] = SYNC_FAULT_REFUSED,
	};

	fetch->counts.faults[faults[outcome]]++;
}

/*
 * Count the rows at hand that the provider took.
 */
void
sync_provider_count_pushed(SyncFetch *fetch)
{
	ListCell *cell;

	fetch->counts.pushes++;
	foreach(cell, fetch->items)
		if (((SyncItem *) lfirst(cell))->state == SYNC_ITEM_PUSHED)
			fetch->counts.pushed++;
}

/*
 * A request has to wait for limits, so many milliseconds, or does not any more: 0.
 */
void
sync_provider_count_hold(SyncFetch *fetch, int64 wait_ms)
{
	TimestampTz now;

	if (wait_ms == 0 && fetch->held_since == 0)
		return;
	now = GetCurrentTimestamp();
	if (fetch->held_since != 0)
		fetch->counts.held_us += Max(now - fetch->held_since, 0);
	fetch->held_since = wait_ms > 0 ? now : 0;
}

/*
 * Tell what was not told yet of a fetch whose memory goes.
 */
static void
tell_rest(void *arg)
{
	SyncFetch *fetch = arg;

	sync_provider_count_hold(fetch, 0);
	tell(fetch);
}

/*
 * Tell what was counted since the last time.
 */
static void
tell(SyncFetch *fetch)
{
	SyncCredential *credential = fetch->credential;
	int64 now[SYNC_TRAFFIC_COUNTS];
	int64 told[SYNC_TRAFFIC_COUNTS];
	bool any = false;

	if (!sync_shmem_traffic_kept())
		return;
	spread(&fetch->counts, now);
	spread(&fetch->told, told);
	for (int i = 0; i < SYNC_TRAFFIC_COUNTS; i++)
	{
		now[i] -= told[i];
		any |= now[i] != 0;
	}
	if (any)
		sync_shmem_traffic_add(MyDatabaseId,
							   credential->provider,
							   credential->has_tenant ? &credential->tenant
													  : NULL,
							   now);
	fetch->told = fetch->counts;
}

/*
 * The counts of a fetch as all others have them.
 */
static void
spread(const SyncFetchCounts *counts, int64 *traffic)
{
	traffic[SYNC_TRAFFIC_REQUESTS] = counts->requests;
	traffic[SYNC_TRAFFIC_SUCCEEDED] =
		counts->pages + counts->pushes + counts->tokens;
	traffic[SYNC_TRAFFIC_PAGES] = counts->pages;
	traffic[SYNC_TRAFFIC_ROWS_IN] = counts->records;
	traffic[SYNC_TRAFFIC_ROWS_OUT] = counts->pushed;
	traffic[SYNC_TRAFFIC_BYTES_IN] = counts->bytes;
	traffic[SYNC_TRAFFIC_BYTES_OUT] = counts->sent_bytes;
	traffic[SYNC_TRAFFIC_RETRIES] = counts->retries;
	traffic[SYNC_TRAFFIC_TOKENS] = counts->tokens;
	traffic[SYNC_TRAFFIC_HELD_US] = counts->held_us;
	traffic[SYNC_TRAFFIC_TRANSFER_US] = counts->transfer_us;
	for (int i = 0; i < SYNC_FAULTS; i++)
		traffic[SYNC_TRAFFIC_THROTTLED + i] = counts->faults[i];
}

/*
 * Note the error that is being raised and, where a request is at hand that it is
 * about, tell of it.  Its fault is counted, unless one was since there were so
 * many.
 */
static void
note_error(SyncFetch *fetch, int64 faults)
{
	SyncCredential *credential = fetch->credential;
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	ErrorData *error = CopyErrorData();

	sync_kit_prospect_note(error, prospect_of(fetch));
	if ((fetch->transfer || fetch->token_transfer) &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION)
	{
		if (sum_faults(fetch) == faults)
			fetch->counts.faults[error->sqlerrcode == SYNC_ERRCODE_HTTP_TRANSPORT
									 ? SYNC_FAULT_UNANSWERED
									 : SYNC_FAULT_UNUSABLE]++;
		tell(fetch);
		sync_shmem_traffic_fail(MyDatabaseId,
								credential->provider,
								credential->has_tenant ? &credential->tenant
													   : NULL,
								error);
	}
	FreeErrorData(error);
	MemoryContextSwitchTo(caller);
}

/*
 * The prospect of a fetch that has raised, or that one of its parents.
 */
static SyncProspect
prospect_of(SyncFetch *fetch)
{
	while (fetch->parent && !fetch->prospect.hopeless &&
		   fetch->prospect.retry_at == 0)
		fetch = fetch->parent;
	return fetch->prospect;
}

/*
 * How many requests have failed.
 */
static int64
sum_faults(SyncFetch *fetch)
{
	int64 sum = 0;

	for (int i = 0; i < SYNC_FAULTS; i++)
		sum += fetch->counts.faults[i];
	return sum;
}
