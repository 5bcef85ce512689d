/*-------------------------------------------------------------------------
 *
 * queue_enqueue.c
 *	  Putting tasks into the queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "kit/kit_spi.h"
#include "queue/queue_row.h"

#define COLUMNS                                                             \
	"(operation_type, payload, timing_partner_id, event_id, provider_name," \
	" sync_direction, priority, scheduled_time, unique_key, max_attempts,"  \
	" sync_job_id, run_as, after, after_group, on_failure, task_group)"
#define VALUES                                                      \
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14," \
	" nullif($15, 'fail'), $16)"
#define PARAM_UNIQUE_KEY 8

/* A task that is there already */
typedef struct Present
{
	char *queue_id; /* NULL: there is none */
	Oid run_as;
	bool begun; /* it is at work */
} Present;

static char *replace_present(ParamListInfo params, Present *present);
static void take_present(void *present, int ncells, char **cells);

/*
 * Put a task into the queue; "params" are the values of COLUMNS.  Where one of
 * its unique key is there, "on_duplicate" says what to do.  Returns the identity
 * as text.
 */
char *
sync_queue_enqueue(ParamListInfo params, const char *on_duplicate)
{
	bool keep = strcmp(on_duplicate, "keep") == 0;
	bool replace = strcmp(on_duplicate, "replace") == 0;
	char *queue_id = NULL;

	if (!keep && !replace && strcmp(on_duplicate, "fail") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unrecognized value for on_duplicate: \"%s\"",
					   on_duplicate),
				errhint("It is keep, replace or fail."));
	if (params->params[PARAM_UNIQUE_KEY].isnull)
	{
		(void) sync_queue_run("INSERT INTO @extschema@.sync_queue " COLUMNS
							  " VALUES " VALUES " RETURNING queue_id",
							  params,
							  sync_kit_take_text,
							  &queue_id);
		return queue_id;
	}
	/* the one that is there may leave while it is looked at */
	for (;;)
	{
		Present present = {0};

		(void)
			sync_queue_run("INSERT INTO @extschema@.sync_queue " COLUMNS
						   " VALUES " VALUES
						   " ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING"
						   " RETURNING queue_id",
						   params,
						   sync_kit_take_text,
						   &queue_id);
		if (queue_id)
			return queue_id;
		(void)
			sync_queue_run("SELECT queue_id, run_as::oid, status = 'running'"
						   " FROM @extschema@.sync_queue WHERE unique_key = $9",
						   params,
						   take_present,
						   &present);
		if (present.queue_id == NULL)
			CHECK_FOR_INTERRUPTS();
		else if (keep)
			return present.queue_id;
		else if (replace && (queue_id = replace_present(params, &present)))
			return queue_id;
		else if (!replace)
			ereport(ERROR,
					errcode(ERRCODE_UNIQUE_VIOLATION),
					errmsg("there is a task with unique_key \"%s\" already",
						   TextDatumGetCString(params->params[PARAM_UNIQUE_KEY]
												   .value)),
					errdetail("It is task %s.", present.queue_id));
	}
}

/*
 * Put many tasks into the queue, given as a jsonb array; those whose unique
 * key is there are left out.  Returns how many went in.
 */
int64
sync_queue_enqueue_many(Datum tasks)
{
	ParamListInfo params = makeParamList(2);

	sync_kit_set_param(params, 0, JSONBOID, tasks);
	sync_kit_set_param(params, 1, OIDOID, ObjectIdGetDatum(GetUserId()));
	return sync_queue_run(
		"INSERT INTO @extschema@.sync_queue " COLUMNS
		" SELECT t.operation_type, coalesce(t.payload, '{}'),"
		" t.timing_partner_id, t.event_id, t.provider_name,"
		" coalesce(t.sync_direction, 'pull'), coalesce(t.priority, 5),"
		" coalesce(t.scheduled_time, now()), t.unique_key, t.max_attempts,"
		" t.sync_job_id, $2, t.after, t.after_group,"
		" nullif(t.on_failure, 'fail'), t.task_group "
		"FROM jsonb_to_recordset($1) AS t (operation_type text, payload jsonb,"
		" timing_partner_id bigint, event_id bigint, provider_name text,"
		" sync_direction text, priority integer, scheduled_time timestamptz,"
		" unique_key text, max_attempts integer, sync_job_id uuid,"
		" after bigint[], after_group text, on_failure text, task_group text) "
		"ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING",
		params,
		NULL,
		NULL);
}

/*
 * Let the task that is there be what the new one would have been.  Returns its
 * identity, or NULL where it is not there any more.
 */
static char *
replace_present(ParamListInfo params, Present *present)
{
	char *queue_id = NULL;

	if (present->begun)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_IN_USE),
				errmsg("task %s is running, and cannot be replaced",
					   present->queue_id));
	if (!is_member_of_role(GetUserId(), present->run_as))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied for task %s", present->queue_id),
				errdetail("It runs as another role."));
	(void)
		sync_queue_run("UPDATE @extschema@.sync_queue SET operation_type = $1,"
					   " payload = $2, timing_partner_id = $3, event_id = $4,"
					   " provider_name = $5, sync_direction = $6, priority = $7,"
					   " scheduled_time = $8, max_attempts = $10,"
					   " sync_job_id = $11, run_as = $12, after = $13,"
					   " after_group = $14, on_failure = nullif($15, 'fail'),"
					   " task_group = $16, attempt = 0, last_error = NULL"
					   " WHERE unique_key = $9 AND status IN ('waiting', 'pending')"
					   " RETURNING queue_id",
					   params,
					   sync_kit_take_text,
					   &queue_id);
	return queue_id;
}

/*
 * Keep what is said of a task that is there; a SyncRowSink.
 */
static void
take_present(void *arg, int ncells, char **cells)
{
	Present *present = arg;

	present->queue_id = pstrdup(cells[0]);
	present->run_as = atooid(cells[1]);
	present->begun = cells[2][0] == 't';
}
