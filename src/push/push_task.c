/*-------------------------------------------------------------------------
 *
 * push_task.c
 *	  Pushes as tasks of the queue: driven beside many others, without a
 *	  transaction while they wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "push/push.h"
#include "push/push_task.h"
#include "queue/queue_driver.h"

static void *begin(SyncTask *task);
static SyncDriveStep step(void *state, int64 *wait_ms);
static void store(void *state);
static Datum *finish(void *state);
static void close_push(void *state);

static const SyncDriver driver = {
	.handler = "sync_sql_task_push",
	.begin = begin,
	.step = step,
	.store = store,
	.finish = finish,
	.close = close_push,
};

/*
 * Let the queue know how to push.
 */
void
sync_push_init(void)
{
	sync_queue_add_driver(&driver);
}

/*
 * Begin a push: {"push": name}, for the tenant of the task.
 */
static void *
begin(SyncTask *task)
{
	JsonbValue *payload =
		sync_kit_json_value(DatumGetJsonbPCopy(task->payload));
	char *name = sync_kit_json_string(payload, "push");
	SyncPushing *pushing;

	if (name == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the payload of a push must name it"),
				errhint("As in {\"push\": \"name\"}."));
	pushing =
		sync_push_new(sync_push_load(name),
					  task->has_partner ? &task->timing_partner_id : NULL);
	sync_push_open(pushing, false);
	return pushing;
}

/*
 * Go on as far as that is possible.
 */
static SyncDriveStep
step(void *state, int64 *wait_ms)
{
	switch (sync_push_step(state, wait_ms))
	{
		case SYNC_PUSH_WAIT:
			return SYNC_DRIVE_WAIT;
		case SYNC_PUSH_STORE:
			return SYNC_DRIVE_STORE;
		default:
			return SYNC_DRIVE_DONE;
	}
}

/*
 * Store what became of rows, and which come next.
 */
static void
store(void *state)
{
	sync_push_store(state);
}

/*
 * All is done: leave the counts in history.
 */
static Datum *
finish(void *state)
{
	SyncPushing *pushing = state;
	SyncRun *run = &pushing->run;
	const struct
	{
		const char *name;
		int64 count;
	} counts[] = {
		{"rows_read", run->rows_read},
		{"created", run->inserted},
		{"updated", run->updated},
		{"unchanged", run->unchanged},
		{"deleted", run->deleted},
		{"failed", run->rejected},
		{"unknown", pushing->unknown},
		{"requests", pushing->requests},
	};
	JsonbParseState *json = NULL;
	Datum *details = palloc(sizeof(Datum));

	sync_push_finish(pushing);
	sync_kit_json_begin(&json);
	for (int i = 0; i < lengthof(counts); i++)
	{
		sync_kit_json_put(&json,
						  counts[i].name,
						  sync_kit_json_new_integer(counts[i].count));
	}
	*details = JsonbPGetDatum(sync_kit_json_end(&json));
	return details;
}

/*
 * Give back what is not memory.
 */
static void
close_push(void *state)
{
	sync_push_close(state);
}
