/*-------------------------------------------------------------------------
 *
 * provider_items.c
 *	  What an answer says of each of the rows that were pushed.
 *
 * Where the definition says nothing of that, an answer in order means that all
 * were taken.  Where it does and the answer cannot be told apart, a row is
 * unknown rather than taken for pushed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_push.h"

static void settle_by_answers(SyncFetch *fetch, List *answers);
static void settle_by_position(SyncFetch *fetch, List *answers);
static void settle_by_key(SyncFetch *fetch, List *answers);
static void settle(SyncFetch *fetch, SyncItem *item, JsonbValue *answer);
static void settle_by_document(SyncFetch *fetch, JsonbValue *document);
static void note_failed(SyncFetch *fetch, JsonbValue *document, bool *failed);
static void note_ids(SyncFetch *fetch, List *ids);
static void doubt(SyncFetch *fetch, SyncItem *item, const char *why);
static char *find_text(JsonbValue *document, List *paths);
static bool holds(JsonbValue *document, List *paths);

/*
 * Settle the rows at hand by an answer that is in order.  "document" is its
 * body as JSON; NULL where it is none, and "has_text" then says that it is not
 * empty.
 */
void
sync_provider_settle_items(SyncFetch *fetch, JsonbValue *document, bool has_text)
{
	JsonbValue *body = fetch->endpoint->body;
	List *items = sync_provider_paths(body, "items");
	ListCell *cell;

	sync_provider_set_items(fetch, SYNC_ITEM_PUSHED);
	if (document && items)
		settle_by_answers(fetch, sync_kit_json_find_first(document, items));
	else if (document)
		settle_by_document(fetch, document);
	else if (has_text && (items || sync_provider_paths(body, "failed")))
		foreach(cell, fetch->items)
			doubt(fetch, lfirst(cell), "the answer is not JSON");
}

/*
 * Settle rows by an answer that has something for each of them.  Where it has
 * nothing at all, they were taken.
 */
static void
settle_by_answers(SyncFetch *fetch, List *answers)
{
	char *match = sync_kit_json_string(fetch->endpoint->body, "match");

	if (answers == NIL)
		return;
	if (match && strcmp(match, "key") == 0)
		settle_by_key(fetch, answers);
	else
		settle_by_position(fetch, answers);
}

/*
 * The first row is meant by the first part of the answer, and so on.
 */
static void
settle_by_position(SyncFetch *fetch, List *answers)
{
	bool fits = list_length(answers) == list_length(fetch->items);
	char *why = psprintf("the answer is about %d rows, and not about %d",
						 list_length(answers),
						 list_length(fetch->items));
	ListCell *cell;

	foreach(cell, fetch->items)
		if (fits)
			settle(fetch,
				   lfirst(cell),
				   list_nth(answers, foreach_current_index(cell)));
		else
			doubt(fetch, lfirst(cell), why);
}

/*
 * Each part of the answer says which row it means.
 */
static void
settle_by_key(SyncFetch *fetch, List *answers)
{
	JsonbValue *body = fetch->endpoint->body;
	List *paths = sync_provider_paths(body, "key");
	char *by = sync_kit_json_string(body, "by");
	int nanswers = list_length(answers);
	char **keys = palloc(nanswers * sizeof(char *));
	ListCell *cell;

	foreach(cell, answers)
		keys[foreach_current_index(cell)] = find_text(lfirst(cell), paths);
	foreach(cell, fetch->items)
	{
		SyncItem *item = lfirst(cell);
		char *key = sync_kit_json_string(item->row, by);
		int i = 0;

		while (i < nanswers && !(key && keys[i] && strcmp(key, keys[i]) == 0))
			i++;
		if (i < nanswers)
			settle(fetch, item, list_nth(answers, i));
		else
			doubt(fetch, item, "the answer does not say what became of it");
	}
}

/*
 * Settle one row by what the answer says of it.  One that the provider has
 * already is as good as taken.
 */
static void
settle(SyncFetch *fetch, SyncItem *item, JsonbValue *answer)
{
	JsonbValue *body = fetch->endpoint->body;
	MemoryContext caller = MemoryContextSwitchTo(fetch->pushing);
	char *id = find_text(answer, sync_provider_paths(body, "id"));
	char *message = find_text(answer, sync_provider_paths(body, "message"));

	if (id && id[0])
		item->remote_id = id;
	if (!holds(answer, sync_provider_paths(body, "duplicate")) &&
		holds(answer, sync_provider_paths(body, "failed")))
	{
		item->state = SYNC_ITEM_FAILED;
		if (message)
			item->message = sync_http_repeat(message, fetch->request->secrets);
	}
	MemoryContextSwitchTo(caller);
}

/*
 * Settle rows by an answer that says which failed, and lists the ids of the
 * others; of one row alone, whether it did.
 */
static void
settle_by_document(SyncFetch *fetch, JsonbValue *document)
{
	JsonbValue *body = fetch->endpoint->body;
	bool *failed = palloc0(list_length(fetch->items) * sizeof(bool));
	ListCell *cell;

	if (sync_kit_json_string(body, "by") == NULL &&
		list_length(fetch->items) == 1)
	{
		settle(fetch, linitial(fetch->items), document);
		return;
	}
	note_failed(fetch, document, failed);
	foreach(cell, fetch->items)
		if (failed[foreach_current_index(cell)])
			((SyncItem *) lfirst(cell))->state = SYNC_ITEM_FAILED;
	note_ids(fetch,
			 sync_kit_json_find_first(document,
									  sync_provider_paths(body, "id")));
}

/*
 * Find out which rows an answer lists as failed.
 */
static void
note_failed(SyncFetch *fetch, JsonbValue *document, bool *failed)
{
	JsonbValue *body = fetch->endpoint->body;
	char *by = sync_kit_json_string(body, "by");
	ListCell *cell;
	ListCell *key;

	foreach(key,
			sync_kit_json_find_first(document,
									 sync_provider_paths(body, "failed")))
	{
		char *text = sync_kit_json_text(lfirst(key));

		foreach(cell, fetch->items)
		{
			char *known =
				sync_kit_json_string(((SyncItem *) lfirst(cell))->row, by);

			if (text && known && strcmp(text, known) == 0)
				failed[foreach_current_index(cell)] = true;
		}
	}
}

/*
 * Note the ids, where it is clear whose they are: there is one for each row, or
 * one for each that did not fail.
 */
static void
note_ids(SyncFetch *fetch, List *ids)
{
	int npushed = 0;
	int next = 0;
	ListCell *cell;

	foreach(cell, fetch->items)
		npushed += ((SyncItem *) lfirst(cell))->state == SYNC_ITEM_PUSHED;
	foreach(cell, fetch->items)
	{
		SyncItem *item = lfirst(cell);
		bool has_one =
			list_length(ids) == list_length(fetch->items) ||
			(list_length(ids) == npushed && item->state == SYNC_ITEM_PUSHED);
		char *id;

		if (!has_one)
			continue;
		id = sync_kit_json_text(list_nth(ids, next++));
		if (id && id[0])
			item->remote_id = MemoryContextStrdup(fetch->pushing, id);
	}
}

/*
 * Nobody knows what became of a row.
 */
static void
doubt(SyncFetch *fetch, SyncItem *item, const char *why)
{
	item->state = SYNC_ITEM_UNKNOWN;
	item->message = MemoryContextStrdup(fetch->pushing, why);
}

/*
 * The first text that one of several paths finds; NULL where none does.
 */
static char *
find_text(JsonbValue *document, List *paths)
{
	ListCell *cell;

	foreach(cell, paths)
	{
		char *text =
			sync_kit_json_text(sync_kit_json_find_one(document, lfirst(cell)));

		if (text)
			return text;
	}
	return NULL;
}

/*
 * Does one of several paths find something, or say that it is true?
 */
static bool
holds(JsonbValue *document, List *paths)
{
	ListCell *cell;

	foreach(cell, paths)
		if (sync_kit_json_holds(document, lfirst(cell)))
			return true;
	return false;
}
