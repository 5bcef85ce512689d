/*-------------------------------------------------------------------------
 *
 * push_gather.c
 *	  Rows gathered into requests.
 *
 * The rows lie in the order of the requests.  One ends where the endpoint takes
 * no more rows, and where the next row needs another endpoint or other parameters;
 * one that is sent again has just the rows that it had.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_hex.h"
#include "kit/kit_words.h"
#include "push/push.h"

/* the columns of the rows that are to be sent, as push_read.c has them */
enum TodoColumn
{
	TODO_WHAT,
	TODO_KEY,
	TODO_PARAMS,
	TODO_ITEM,
	TODO_CONTENT,
	TODO_REMOTE_ID,
	TODO_BATCH,
	TODO_BEFORE,
	TODO_FAILED_BEFORE,
};

#define AGAIN "again "

static const char *const action_names[] = {
	[SYNC_PUSH_CREATE] = "create",
	[SYNC_PUSH_UPDATE] = "update",
	[SYNC_PUSH_DELETE] = "delete",
};

static bool is_sent(const char *what);
static SyncPushBatch *begin_batch(SyncPushing *pushing, SyncRow *row);
static int rows_at_once(SyncPushing *pushing, SyncPushAction action);
static bool belongs(SyncPushBatch *batch, SyncRow *row);
static void add_row(SyncPushing *pushing, SyncPushBatch *batch, SyncRow *row);
static JsonbValue *without(JsonbValue *row, SyncPush *push);
static bool is_named(SyncPush *push, const char *column);
static void give_name(SyncPushing *pushing, SyncPushBatch *batch);
static JsonbValue *json_at(SyncRow *row, int column);
static char *text_at(SyncRow *row, int column);

/*
 * Gather the rows of the next request, in a memory context of their own; NULL
 * after the last.  Needs no transaction.
 */
SyncPushBatch *
sync_push_gather(SyncPushing *pushing)
{
	MemoryContext caller = MemoryContextSwitchTo(pushing->scratch);
	SyncPushBatch *batch = NULL;
	int most = 1;

	for (;;)
	{
		SyncRow *row = pushing->ahead;

		MemoryContextReset(pushing->scratch);
		pushing->ahead = NULL;
		if (row == NULL)
			row = sync_kit_staged_next(pushing->todo);
		if (row == NULL)
			break;
		if (!is_sent(TextDatumGetCString(row->values[TODO_WHAT])))
			continue;
		if (batch == NULL)
		{
			batch = begin_batch(pushing, row);
			if (!batch->again)
				most = rows_at_once(pushing, batch->action);
		}
		else if (!belongs(batch, row) ||
				 (!batch->again && list_length(batch->rows) >= most))
		{
			pushing->ahead = row;
			break;
		}
		add_row(pushing, batch, row);
	}
	if (batch)
	{
		pushing->requests++;
		if (!batch->again)
			give_name(pushing, batch);
	}
	MemoryContextSwitchTo(caller);
	return batch;
}

/*
 * Free the rows of a request.
 */
void
sync_push_free_batch(SyncPushBatch *batch)
{
	MemoryContextDelete(batch->context);
}

/*
 * The word for what is done with a row.
 */
const char *
sync_push_action_name(SyncPushAction action)
{
	return action_names[action];
}

/*
 * Is a row one that is sent?
 */
static bool
is_sent(const char *what)
{
	return strcmp(what, "unchanged") != 0 && strcmp(what, "unknown") != 0;
}

/*
 * Begin a request with what its first row says.
 */
static SyncPushBatch *
begin_batch(SyncPushing *pushing, SyncRow *row)
{
	MemoryContext context = AllocSetContextCreate(pushing->context,
												  "sync push request",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SyncPushBatch *batch = palloc0(sizeof(SyncPushBatch));
	const char *what = text_at(row, TODO_WHAT);

	batch->context = context;
	batch->again = strncmp(what, AGAIN, strlen(AGAIN)) == 0;
	if (batch->again)
		what += strlen(AGAIN);
	for (int i = 0; i < lengthof(action_names); i++)
		if (strcmp(what, action_names[i]) == 0)
			batch->action = i;
	batch->params = json_at(row, TODO_PARAMS);
	batch->name = text_at(row, TODO_BATCH);
	MemoryContextSwitchTo(caller);
	return batch;
}

/*
 * How many rows go into a request of that kind.
 */
static int
rows_at_once(SyncPushing *pushing, SyncPushAction action)
{
	int most = sync_provider_batch_size(pushing->senders[action]);

	return pushing->push->batch_size ? Min(most, pushing->push->batch_size)
									 : most;
}

/*
 * May a row go into a request beside those that it has?
 */
static bool
belongs(SyncPushBatch *batch, SyncRow *row)
{
	char *name = text_at(row, TODO_BATCH);
	char *what = text_at(row, TODO_WHAT);

	if (batch->again || name)
		return name && batch->name && strcmp(name, batch->name) == 0;
	return strcmp(what, action_names[batch->action]) == 0 &&
		   strcmp(sync_kit_json_text(json_at(row, TODO_PARAMS)),
				  sync_kit_json_text(batch->params)) == 0;
}

/*
 * Add a row to a request.
 */
static void
add_row(SyncPushing *pushing, SyncPushBatch *batch, SyncRow *row)
{
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	SyncPushRow *added = palloc0(sizeof(SyncPushRow));
	bytea *content = row->nulls[TODO_CONTENT]
						 ? NULL
						 : DatumGetByteaPP(row->values[TODO_CONTENT]);

	added->key = json_at(row, TODO_KEY);
	added->item.row = json_at(row, TODO_ITEM);
	added->item.sent = without(added->item.row, pushing->push);
	added->item.remote_id = text_at(row, TODO_REMOTE_ID);
	if (content)
		added->content = sync_kit_hex((uint8 *) VARDATA_ANY(content),
									  VARSIZE_ANY_EXHDR(content));
	added->before = text_at(row, TODO_BEFORE);
	added->failed_before = DatumGetBool(row->values[TODO_FAILED_BEFORE]);
	batch->rows = lappend(batch->rows, added);
	MemoryContextSwitchTo(caller);
}

/*
 * A row without the columns that are not sent.
 */
static JsonbValue *
without(JsonbValue *row, SyncPush *push)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	if (push->not_sent == NIL && push->tenant == NULL &&
		sync_kit_json_members(push->columns) == NIL)
		return row;
	sync_kit_json_begin(&state);
	foreach(cell, sync_kit_json_members(row))
	{
		SyncJsonMember *member = lfirst(cell);

		if (is_named(push, member->name))
			continue;
		sync_kit_json_put(&state, member->name, member->value);
	}
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * Is a column one that is not sent?
 */
static bool
is_named(SyncPush *push, const char *column)
{
	ListCell *cell;

	if ((push->tenant && strcmp(push->tenant, column) == 0) ||
		sync_kit_has_name(push->not_sent, column))
		return true;
	foreach(cell, sync_kit_json_members(push->columns))
		if (strcmp(sync_kit_json_text(((SyncJsonMember *) lfirst(cell))->value),
				   column) == 0)
			return true;
	return false;
}

/*
 * Name a request after all that is in it, and when: a hash.  What is pushed to and
 * fro is not the same request again, and one that is sent again has its name.
 */
static void
give_name(SyncPushing *pushing, SyncPushBatch *batch)
{
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	appendStringInfo(&text,
					 "%s\n%s\n%s\n%s\n%s\n",
					 timestamptz_to_str(GetCurrentTimestamp()),
					 pushing->push->name,
					 pushing->tenant ? psprintf(INT64_FORMAT, *pushing->tenant)
									 : "",
					 action_names[batch->action],
					 sync_kit_json_text(batch->params));
	foreach(cell, batch->rows)
	{
		SyncPushRow *row = lfirst(cell);

		appendStringInfo(&text,
						 "%s %s\n",
						 sync_kit_json_text(row->key),
						 row->content ? row->content : "");
	}
	if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) text.data, text.len) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute a SHA-256 hash"));
	pg_cryptohash_free(hash);
	batch->name = sync_kit_hex(digest, sizeof(digest));
	MemoryContextSwitchTo(caller);
}

/*
 * A cell as JSON, copied into the current memory context; NULL for NULL.
 */
static JsonbValue *
json_at(SyncRow *row, int column)
{
	return row->nulls[column]
			   ? NULL
			   : sync_kit_json_value(DatumGetJsonbPCopy(row->values[column]));
}

/*
 * A cell as text, likewise.
 */
static char *
text_at(SyncRow *row, int column)
{
	return row->nulls[column] ? NULL : TextDatumGetCString(row->values[column]);
}
