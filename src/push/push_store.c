/*-------------------------------------------------------------------------
 *
 * push_store.c
 *	  What was sent, and what became of it: sync_pushed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "push/push.h"

/* of a row of which nothing is to be remembered */
#define STATE_OF_NONE "gone"

static int64 resolve(ParamListInfo params, bool has_tenant);
static void run_planned(const char *sql, ParamListInfo params, bool has_tenant);
static char *for_tenant(const char *sql, bool has_tenant);
static void put_text(JsonbParseState **state,
					 const char *name,
					 const char *text);
static char *rows_as_json(SyncPushBatch *batch, bool settled);
static const char *state_of(SyncPushBatch *batch, SyncPushRow *row);
static void note(SyncPushing *pushing, SyncPushBatch *batch, SyncPushRow *row);

/*
 * Note that the rows of a request are about to be sent.
 */
void
sync_push_mark(SyncPushing *pushing, SyncPushBatch *batch)
{
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	const char *values[] = {
		pushing->push->name,
		pushing->run.tenant,
		sync_kit_json_text(batch->params),
		sync_push_action_name(batch->action),
		batch->name,
		rows_as_json(batch, false),
	};

	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_pushed AS p (push_name,"
							 " timing_partner_id, key, params, state, action,"
							 " batch, batch_position, sent, sent_content, changed_at) "
							 "SELECT $1, $2::bigint, r.key, $3::jsonb, 'sending',"
							 " $4, $5, r.position, r.item, decode(r.content, 'hex'),"
							 " clock_timestamp()"
							 " FROM ROWS FROM (jsonb_to_recordset($6::jsonb)"
							 " AS (key jsonb, item jsonb, content text))"
							 " WITH ORDINALITY AS r (key, item, content, position) "
							 "ON CONFLICT ON CONSTRAINT sync_pushed_key DO UPDATE SET"
							 " (params, state, action, batch, batch_position, sent,"
							 " sent_content, changed_at) = (excluded.params,"
							 " excluded.state, excluded.action, excluded.batch,"
							 " excluded.batch_position, excluded.sent,"
							 " excluded.sent_content, excluded.changed_at)",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
	MemoryContextSwitchTo(caller);
}

/*
 * Note what became of the rows of a request.  Those that were not sent are as
 * they were before.
 */
void
sync_push_settle(SyncPushing *pushing, SyncPushBatch *batch)
{
	MemoryContext caller = MemoryContextSwitchTo(batch->context);
	const char *values[] = {
		pushing->push->name,
		pushing->run.tenant,
		rows_as_json(batch, true),
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);
	bool forgets = false;
	ListCell *cell;

	foreach(cell, batch->rows)
		forgets |= strcmp(state_of(batch, lfirst(cell)), STATE_OF_NONE) == 0;
	if (forgets)
		run_planned("DELETE FROM @extschema@.sync_pushed AS p"
					" USING jsonb_to_recordset($3::jsonb)"
					" AS r (key jsonb, state text)"
					" WHERE p.push_name = $1 AND p.key = r.key AND p.%s"
					" AND r.state = 'gone'",
					params,
					pushing->tenant != NULL);
	run_planned("UPDATE @extschema@.sync_pushed AS p SET state = r.state,"
				" remote_id = coalesce(r.remote_id, p.remote_id),"
				" content = CASE WHEN r.taken THEN p.sent_content ELSE p.content END,"
				" pushed_at = CASE WHEN r.taken THEN clock_timestamp() ELSE p.pushed_at END,"
				" error = CASE WHEN r.done THEN r.message ELSE p.error END,"
				" sent = CASE WHEN r.state = 'unknown' THEN p.sent END,"
				" changed_at = clock_timestamp()"
				" FROM jsonb_to_recordset($3::jsonb) AS r (key jsonb,"
				" state text, taken boolean, done boolean,"
				" remote_id text, message text)"
				" WHERE p.push_name = $1 AND p.key = r.key AND p.%s"
				" AND r.state <> 'gone'",
				params,
				pushing->tenant != NULL);
	foreach(cell, batch->rows)
		note(pushing, batch, lfirst(cell));
	MemoryContextSwitchTo(caller);
}

/*
 * Run a statement on rows of a tenant by a plan made for the table as it is now: it
 * grows with each request of a first push, and a plan for an empty one reads it
 * from end to end.
 */
static void
run_planned(const char *sql, ParamListInfo params, bool has_tenant)
{
	char *bound = sync_kit_bind_schema(for_tenant(sql, has_tenant));
	SyncOwnerScope scope;

	sync_kit_owner_enter(&scope);
	(void) sync_kit_spi_run(bound, params, false, NULL, NULL);
	sync_kit_owner_leave(&scope);
}

/*
 * Settle rows of which it is not known what became of them, as somebody says who
 * has looked: that it was done, with that id (NULL: none), or that it was not.
 * "key" is JSON; NULL: all such rows.  Returns how many.
 */
int64
sync_push_resolve(const char *name,
				  const char *key,
				  bool pushed,
				  const char *remote_id,
				  const int64 *tenant)
{
	const char *values[] = {
		name,
		tenant ? psprintf(INT64_FORMAT, *tenant) : NULL,
		key,
		pushed ? "true" : "false",
		remote_id,
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);
	SyncPushLock *lock = sync_push_lock(name, tenant);
	volatile int64 resolved = 0;

	PG_TRY();
	{
		resolved = resolve(params, tenant != NULL);
	}
	PG_FINALLY();
	{
		sync_push_unlock(lock);
	}
	PG_END_TRY();
	return resolved;
}

/*
 * Settle these rows, which nobody is at work with.
 */
static int64
resolve(ParamListInfo params, bool has_tenant)
{
	int64 resolved =
		sync_kit_spi_run_own(for_tenant("DELETE FROM @extschema@.sync_pushed"
										" WHERE push_name = $1 AND ($3 IS NULL OR key = $3::jsonb)"
										" AND %s"
										" AND state IN ('sending', 'unknown')"
										" AND CASE WHEN $4::boolean THEN action = 'delete'"
										" ELSE pushed_at IS NULL END",
										has_tenant),
							 params,
							 false,
							 NULL,
							 NULL);
	resolved += sync_kit_spi_run_own(
		for_tenant("UPDATE @extschema@.sync_pushed SET state = 'pushed',"
				   " remote_id = coalesce($5, remote_id),"
				   " content = CASE WHEN $4::boolean THEN sent_content ELSE content END,"
				   " pushed_at = CASE WHEN $4::boolean THEN clock_timestamp() ELSE pushed_at END,"
				   " error = NULL, sent = NULL, changed_at = clock_timestamp()"
				   " WHERE push_name = $1 AND ($3 IS NULL OR key = $3::jsonb)"
				   " AND %s"
				   " AND state IN ('sending', 'unknown')",
				   has_tenant),
		params,
		false,
		NULL,
		NULL);
	return resolved;
}

/*
 * A statement with the condition on whose the rows are, in a form in which an
 * index serves it.
 */
static char *
for_tenant(const char *sql, bool has_tenant)
{
	return psprintf(sql,
					has_tenant ? "timing_partner_id = $2::bigint"
							   : "timing_partner_id IS NULL AND $2 IS NULL");
}

/*
 * The rows of a request as an array: as they are sent, or what became of them.
 */
static char *
rows_as_json(SyncPushBatch *batch, bool settled)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	foreach(cell, batch->rows)
	{
		SyncPushRow *row = lfirst(cell);
		bool taken = row->item.state == SYNC_ITEM_PUSHED;

		(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		sync_kit_json_put(&state, "key", row->key);
		if (!settled)
		{
			sync_kit_json_put(&state, "item", row->item.row);
			put_text(&state, "content", row->content);
		}
		else
		{
			put_text(&state, "state", state_of(batch, row));
			put_text(&state, "taken", taken ? "true" : "false");
			put_text(&state,
					 "done",
					 row->item.state != SYNC_ITEM_WAITING ? "true" : "false");
			put_text(&state, "remote_id", row->item.remote_id);
			put_text(&state, "message", row->item.message);
		}
		(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return sync_kit_json_text(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/*
 * Put a text into an object, or null.
 */
static void
put_text(JsonbParseState **state, const char *name, const char *text)
{
	sync_kit_json_put(state, name, sync_kit_json_new_text(text));
}

/*
 * The state that a row is in now; "gone": there is nothing to be remembered.
 */
static const char *
state_of(SyncPushBatch *batch, SyncPushRow *row)
{
	switch (row->item.state)
	{
		case SYNC_ITEM_PUSHED:
			return batch->action == SYNC_PUSH_DELETE ? STATE_OF_NONE : "pushed";
		case SYNC_ITEM_FAILED:
			return "failed";
		case SYNC_ITEM_UNKNOWN:
			return "unknown";
		default:
			return row->before ? row->before : STATE_OF_NONE;
	}
}

/*
 * Count what became of a row.
 */
static void
note(SyncPushing *pushing, SyncPushBatch *batch, SyncPushRow *row)
{
	SyncRun *run = &pushing->run;

	switch (row->item.state)
	{
		case SYNC_ITEM_PUSHED:
			if (batch->action == SYNC_PUSH_CREATE)
				run->inserted++;
			else if (batch->action == SYNC_PUSH_UPDATE)
				run->updated++;
			else
				run->deleted++;
			break;
		case SYNC_ITEM_FAILED:
			run->rejected++;
			if (row->failed_before)
				break;
			if (pushing->new_failures++ == 0)
				pushing->first_failure =
					MemoryContextStrdup(pushing->context,
										psprintf("%s: %s",
												 sync_kit_json_text(row->key),
												 row->item.message
													 ? row->item.message
													 : "the provider does not take it"));
			break;
		case SYNC_ITEM_UNKNOWN:
			pushing->unknown++;
			break;
		default:
			break;
	}
}
