/*-------------------------------------------------------------------------
 *
 * provider_parent.c
 *	  For whom an endpoint is asked: its parents, and its constants for each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "provider/provider_known.h"

static SyncFetchStep next_parent(SyncFetch *fetch, int64 *wait_ms);
static SyncFetchStep next_row(SyncFetch *fetch,
							  MemoryContext context,
							  JsonbValue **row,
							  int64 *wait_ms);
static SyncFetchStep collect(SyncFetch *fetch,
							 JsonbValue *definition,
							 int64 *wait_ms);
static bool is_passed_over(SyncFetch *fetch);

/*
 * Go to the next parent, or to the next constant for the one at hand, and to
 * the first page for it: SYNC_FETCH_RECORD.  The parents may be waited for.
 */
SyncFetchStep
sync_provider_next_subject(SyncFetch *fetch, int64 *wait_ms)
{
	if (fetch->begun && fetch->constant_at + 1 < list_length(fetch->constants))
		fetch->constant_at++;
	else
	{
		do
		{
			SyncFetchStep step = next_parent(fetch, wait_ms);

			if (step != SYNC_FETCH_RECORD)
				return step;
		} while (is_passed_over(fetch));
		fetch->constant_at = 0;
	}
	if (fetch->by_parent)
		sync_provider_begin_mark(fetch);
	fetch->begun = true;
	fetch->scope.each =
		fetch->constants ? list_nth(fetch->constants, fetch->constant_at)
						 : NULL;
	sync_provider_first_page(fetch);
	sync_provider_go_on(fetch);
	return SYNC_FETCH_RECORD;
}

/*
 * Go to the next parent; where there is no such thing, once to none.
 */
static SyncFetchStep
next_parent(SyncFetch *fetch, int64 *wait_ms)
{
	JsonbValue *definition = fetch->endpoint->parent;
	JsonbValue *gathered = sync_kit_json_member(definition, "collect");
	SyncFetchStep step;

	if (definition == NULL)
		return fetch->begun ? SYNC_FETCH_END : SYNC_FETCH_RECORD;
	if (gathered)
		return collect(fetch, gathered, wait_ms);
	MemoryContextReset(fetch->parent_context);
	memset(&fetch->pager, 0, sizeof(SyncPager));
	step =
		next_row(fetch, fetch->parent_context, &fetch->scope.parent, wait_ms);
	return step;
}

/*
 * The next row of the parents, copied into a context.
 */
static SyncFetchStep
next_row(SyncFetch *fetch,
		 MemoryContext context,
		 JsonbValue **row,
		 int64 *wait_ms)
{
	Jsonb *record;
	MemoryContext caller;
	SyncFetchStep step;

	*row = NULL;
	if (fetch->parents_end)
		return SYNC_FETCH_END;
	if (fetch->parent == NULL)
	{
		if (fetch->parent_at == list_length(fetch->parents))
			return SYNC_FETCH_END;
		*row = list_nth(fetch->parents, fetch->parent_at++);
		return SYNC_FETCH_RECORD;
	}
	step = sync_provider_step(fetch->parent, &record, wait_ms);
	fetch->parents_end = step == SYNC_FETCH_END;
	if (step != SYNC_FETCH_RECORD)
		return step;
	caller = MemoryContextSwitchTo(context);
	*row = sync_kit_json_value(memcpy(palloc(VARSIZE(record)),
									  record,
									  VARSIZE(record)));
	MemoryContextSwitchTo(caller);
	return SYNC_FETCH_RECORD;
}

/*
 * Gather what several parents have, to be asked for at once.
 */
static SyncFetchStep
collect(SyncFetch *fetch, JsonbValue *definition, int64 *wait_ms)
{
	int64 size = sync_kit_json_integer(definition, "size", 1);
	SyncFetchStep step = SYNC_FETCH_END;
	JsonbParseState *state = NULL;
	MemoryContext caller;
	JsonbValue *row;
	ListCell *cell;

	if (fetch->collected == NIL)
	{
		MemoryContextReset(fetch->parent_context);
		memset(&fetch->pager, 0, sizeof(SyncPager));
	}
	while (list_length(fetch->collected) < size)
	{
		JsonbValue *found = NULL;
		List *paths = sync_provider_paths(definition, "path");

		step = next_row(fetch, fetch->parent_context, &row, wait_ms);
		if (step == SYNC_FETCH_WAIT)
			return step;
		if (step == SYNC_FETCH_END)
			break;
		foreach(cell, paths)
			if (found == NULL || found->type == jbvNull)
				found = sync_kit_json_find_one(row, lfirst(cell));
		caller = MemoryContextSwitchTo(fetch->parent_context);
		if (found && found->type != jbvNull)
			fetch->collected =
				lappend(fetch->collected, sync_kit_json_text(found));
		MemoryContextSwitchTo(caller);
	}
	if (fetch->collected == NIL)
		return SYNC_FETCH_END;

	caller = MemoryContextSwitchTo(fetch->parent_context);
	sync_kit_json_begin(&state);
	(void) pushJsonbValue(&state, WJB_KEY, sync_kit_json_new_text("collected"));
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	foreach(cell, fetch->collected)
		(void) pushJsonbValue(&state,
							  WJB_ELEM,
							  sync_kit_json_new_text(lfirst(cell)));
	(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	fetch->scope.parent = sync_kit_json_value(sync_kit_json_end(&state));
	MemoryContextSwitchTo(caller);
	fetch->collected = NIL;
	return SYNC_FETCH_RECORD;
}

/*
 * Is the parent at hand a partition that was read, and does not change any more?
 */
static bool
is_passed_over(SyncFetch *fetch)
{
	JsonbValue *incremental = fetch->endpoint->incremental;
	char *mode = sync_kit_json_string(incremental, "mode");
	const char *missing;
	char *value;

	if (mode == NULL || strcmp(mode, "partition") != 0)
		return false;
	value = sync_provider_expand(sync_kit_json_string(incremental, "value"),
								 &fetch->scope,
								 SYNC_ENCODE_NOT,
								 &missing);
	if (missing)
		return false;
	sync_provider_mark_value(fetch, value);
	return fetch->scope.since && strcmp(value, fetch->scope.since) < 0;
}
