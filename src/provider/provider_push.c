/*-------------------------------------------------------------------------
 *
 * provider_push.c
 *	  Pushing rows: a fetch that sends some at a time, and has no records.
 *
 * It is opened once, and given rows again and again; each time it is driven to
 * its end by sync_provider_step, as any fetch.  Then each row says what became of
 * it.  Where a step raises, rows that are UNKNOWN may have been taken, and those
 * that are WAITING were not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "provider/provider_push.h"

#define DEFAULT_BATCH 100

static void begin(SyncFetch *fetch, List *items, const char *key);
static bool prepare(SyncFetch *fetch, SyncItem *item);

/*
 * Open an endpoint to push rows to, in the current memory context, beside
 * "other" (NULL: none) of the same provider.  "params" may be NULL, and are set
 * later then.
 */
SyncFetch *
sync_provider_open_push(const char *endpoint,
						JsonbValue *params,
						const int64 *tenant,
						SyncFetch *other)
{
	SyncFetch *fetch = sync_provider_open_shared(endpoint, tenant, other);

	if (!fetch->endpoint->takes_rows)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("endpoint \"%s\" takes no rows", endpoint),
				errhint("An endpoint that rows can be pushed to has a body of kind records, object, columns or form_json, or names {item.x} somewhere."));
	if (params)
		sync_provider_set_params(fetch, params);
	return fetch;
}

/*
 * Set the parameters for the rows that come next.  Raises where one is missing,
 * or not declared.
 */
void
sync_provider_set_params(SyncFetch *fetch, JsonbValue *params)
{
	MemoryContext caller;

	MemoryContextReset(fetch->parent_context);
	caller = MemoryContextSwitchTo(fetch->parent_context);
	fetch->scope.param = sync_provider_settle_params(fetch->endpoint, params);
	MemoryContextSwitchTo(caller);
}

/*
 * How many rows go into a request at most.
 */
int
sync_provider_batch_size(SyncFetch *fetch)
{
	if (fetch->endpoint->one_by_one)
		return 1;
	return (int) Min(sync_kit_json_integer(fetch->endpoint->body,
										   "batch",
										   DEFAULT_BATCH),
					 PG_INT32_MAX);
}

/*
 * Does it do no harm to push the same rows twice?
 */
bool
sync_provider_is_repeatable(SyncFetch *fetch)
{
	return fetch->endpoint->repeatable;
}

/*
 * Do its requests say which they are, so that the provider knows one that it
 * has seen?
 */
bool
sync_provider_has_key(SyncFetch *fetch)
{
	return fetch->endpoint->has_key;
}

/*
 * May the request at hand be sent twice without harm?
 */
bool
sync_provider_is_harmless(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;

	return endpoint->repeatable || endpoint->has_key ||
		   strcmp(endpoint->method, "GET") == 0 ||
		   strcmp(endpoint->method, "HEAD") == 0;
}

/*
 * Give it rows to send: SyncItem, not more than the size of a batch, which live in
 * the current memory context until the end is reached.  A row that no request can
 * be made of fails by itself.  The key may be NULL.
 */
void
sync_provider_send(SyncFetch *fetch, List *items, const char *idempotency_key)
{
	begin(fetch, items, idempotency_key);
	fetch->ended = fetch->items == NIL;
}

/*
 * The request that would send rows, without who asks.
 */
SyncHttpRequest *
sync_provider_preview(SyncFetch *fetch, List *items, const char *idempotency_key)
{
	SyncHttpRequest *request = NULL;

	begin(fetch, items, idempotency_key);
	fetch->preview = true;
	if (fetch->items)
		request = sync_provider_compose(fetch);
	fetch->items = NIL;
	return request;
}

/*
 * Let these be the rows at hand.
 */
static void
begin(SyncFetch *fetch, List *items, const char *key)
{
	ListCell *cell;

	fetch->pushing = CurrentMemoryContext;
	fetch->items = NIL;
	fetch->scope.item = NULL;
	fetch->scope.idempotency_key = key;
	fetch->begun = true;
	fetch->tries = 0;
	fetch->authenticated = false;
	sync_provider_first_page(fetch);
	foreach(cell, items)
		if (prepare(fetch, lfirst(cell)))
			fetch->items = lappend(fetch->items, lfirst(cell));
	if (fetch->endpoint->one_by_one && fetch->items)
		fetch->scope.item = sync_provider_item_scope(linitial(fetch->items));
}

/*
 * Make of a row what is sent of it.  Where its values do not allow that, it has
 * failed: false.
 */
static bool
prepare(SyncFetch *fetch, SyncItem *item)
{
	item->state = SYNC_ITEM_WAITING;
	item->message = NULL;
	PG_TRY();
	{
		item->object = sync_provider_item_object(fetch, item);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(fetch->pushing);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		item->state = SYNC_ITEM_FAILED;
		item->message = error->message;
	}
	PG_END_TRY();
	return item->state == SYNC_ITEM_WAITING;
}

/*
 * Let all rows at hand be in a state.
 */
void
sync_provider_set_items(SyncFetch *fetch, SyncItemState state)
{
	ListCell *cell;

	foreach(cell, fetch->items)
		((SyncItem *) lfirst(cell))->state = state;
}

/*
 * The provider takes none of the rows at hand.
 */
void
sync_provider_refuse_items(SyncFetch *fetch, SyncVerdict *verdict, int status)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->pushing);
	char *message =
		verdict->message
			? psprintf("status %d: %s",
					   status,
					   sync_http_repeat(verdict->message,
										fetch->request->secrets))
			: psprintf("status %d", status);
	ListCell *cell;

	foreach(cell, fetch->items)
	{
		SyncItem *item = lfirst(cell);

		item->state = SYNC_ITEM_FAILED;
		item->message = message;
	}
	MemoryContextSwitchTo(caller);
}
