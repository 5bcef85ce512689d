/*-------------------------------------------------------------------------
 *
 * partner_due.c
 *	  What a task of operation type event_discovery, participants, results and
 *	  the like comes to: tasks that fetch, or push.
 *
 * One for nobody in particular becomes one for each tenant and provider that
 * there is an active credential of; one for a tenant and a provider becomes a
 * fetch for each feed, or for each event that a feed is asked for.  All that
 * commits with the task, and each has a key, so that what is still waiting to
 * be fetched is not fetched twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "partner/partner.h"
#include "perform/perform.h"
#include "provider/provider.h"
#include "provider/provider_feed.h"
#include "push/push.h"

/*
 * Put fetches of stream $1 for tenant $2 of provider $3 into the queue, with
 * priority $4, for each of the parameters that follow
 */
#define ENQUEUE                                                                                       \
	"SELECT pg_catalog.count(@extschema@.sync_enqueue('fetch',"                                       \
	" pg_catalog.jsonb_build_object('stream', $1, 'params', p.params),"                               \
	" timing_partner_id => $2::bigint, provider_name => $3,"                                          \
	" event_id => CASE WHEN p.event OPERATOR(pg_catalog.~) '^[0-9]{1,18}$' THEN p.event::bigint END," \
	" priority => $4::integer,"                                                                       \
	" unique_key => pg_catalog.concat_ws(' ', 'fetch', $1, $2, p.params))) FROM "

static int64 spread(const SyncTask *task, const char *operation);
static int64 enqueue_feed(const SyncTask *task, char **feed);
static int64 enqueue_push(const SyncTask *task, char **feed);
static int64 enqueue_linked(const SyncTask *task,
							char **feed,
							const char *event);
static int64 enqueue(const SyncTask *task,
					 char **feed,
					 const char *source,
					 const char *params,
					 const char *event);
static char *compose_params(char **feed, SyncStream *parent);
static void report_missing(const SyncTask *task, char **feed, const char *what);

/* Columns of a feed, as they are asked for */
enum FeedCell
{
	FEED_ENDPOINT,
	FEED_PARENT,
	FEED_PARAMS, /* SQL: what makes the object of parameters of a row "t" */
	FEED_LINKED,
	FEED_EVENT,
	FEED_EVENT_COLUMN, /* of the parent's table */
	FEED_IS_PUSH,
};

/*
 * Put into the queue what the task at work comes to.  Returns how many tasks
 * that are.  Raises where nothing of the provider is kept.
 */
int64
sync_partner_enqueue_due(void)
{
	const SyncTask *task = sync_perform_task();
	const char *operation = task->operation_type;
	const char *values[] = {task->provider_name, operation};
	SyncRows *feeds;
	int64 count = 0;

	if (!task->has_partner || task->provider_name == NULL)
		return spread(task, operation);

	(void) sync_provider_load(task->provider_name);
	feeds = sync_kit_spi_rows_own(
		"SELECT f.endpoint_name, f.parent,"
		" (SELECT string_agg(format('%L, t.%I', p.key, p.value), ', ' ORDER BY p.key)"
		"  FROM jsonb_each_text(f.params) AS p),"
		" f.linked, f.event, f.params ->> f.event, f.push_query IS NOT NULL"
		" FROM @extschema@.sync_feeds AS f"
		" WHERE f.provider_name = $1 AND f.operation = $2 ORDER BY 1",
		sync_kit_text_params(lengthof(values), values));
	for (int i = 0; i < feeds->nrows; i++)
		count += enqueue_feed(task, feeds->rows[i]);
	return count;
}

/*
 * Put a task like this one into the queue for each tenant and provider.
 */
static int64
spread(const SyncTask *task, const char *operation)
{
	char *tenant = task->has_partner
					   ? psprintf(INT64_FORMAT, task->timing_partner_id)
					   : NULL;
	SyncRows *customers =
		sync_provider_customers(tenant, task->provider_name, operation);
	char *enqueue = sync_kit_bind_schema(
		"SELECT @extschema@.sync_enqueue($3, timing_partner_id => $1::bigint,"
		" provider_name => $2, priority => $4::integer,"
		" unique_key => pg_catalog.concat_ws(' ', 'due', $3, $1, $2))");

	for (int i = 0; i < customers->nrows; i++)
	{
		char **row = customers->rows[i];
		const char *values[] = {
			row[0],
			row[1],
			row[2],
			psprintf("%d", task->priority),
		};

		sync_kit_spi_run(enqueue,
						 sync_kit_text_params(lengthof(values), values),
						 false,
						 NULL,
						 NULL);
	}
	return customers->nrows;
}

/*
 * Put the fetches of a feed into the queue.
 */
static int64
enqueue_feed(const SyncTask *task, char **feed)
{
	char *event =
		task->event_id ? psprintf(INT64_FORMAT, *task->event_id) : NULL;

	if (feed[FEED_IS_PUSH][0] == 't')
		return enqueue_push(task, feed);
	if (!sync_flow_exists(feed[FEED_ENDPOINT]))
		report_missing(task, feed, "stream");
	if (feed[FEED_LINKED][0] == 't')
		return enqueue_linked(task, feed, event);
	if (feed[FEED_PARENT])
		return enqueue(task,
					   feed,
					   compose_params(feed, sync_flow_load(feed[FEED_PARENT])),
					   NULL,
					   event);
	return enqueue(task, feed, "(VALUES ('{}'::jsonb, NULL))", NULL, NULL);
}

/*
 * Put the push to an endpoint into the queue.
 */
static int64
enqueue_push(const SyncTask *task, char **feed)
{
	const char *values[] = {
		feed[FEED_ENDPOINT],
		psprintf(INT64_FORMAT, task->timing_partner_id),
		task->provider_name,
		psprintf("%d", task->priority),
	};

	if (!sync_push_exists(feed[FEED_ENDPOINT]))
		report_missing(task, feed, "push");
	sync_kit_spi_run(sync_kit_bind_schema(
						 "SELECT @extschema@.sync_enqueue('push', pg_catalog.jsonb_build_object('push', $1),"
						 " timing_partner_id => $2::bigint, provider_name => $3,"
						 " sync_direction => 'push', priority => $4::integer,"
						 " unique_key => pg_catalog.concat_ws(' ', 'push', $1, $2))"),
					 sync_kit_text_params(lengthof(values), values),
					 false,
					 NULL,
					 NULL);
	return 1;
}

/*
 * Put a fetch for each linked event into the queue.
 */
static int64
enqueue_linked(const SyncTask *task, char **feed, const char *event)
{
	SyncRows *links =
		sync_partner_links(task->timing_partner_id,
						   task->provider_name,
						   feed[FEED_EVENT],
						   event);

	for (int i = 0; i < links->nrows; i++)
		(void) enqueue(task,
					   feed,
					   "(VALUES ($5::jsonb, $6))",
					   links->rows[i][0],
					   links->rows[i][1]);
	return links->nrows;
}

/*
 * Put fetches of a feed into the queue, for each row of "source", SQL for an
 * object of parameters and an event; $5 and $6 of it are what follows.
 */
static int64
enqueue(const SyncTask *task,
		char **feed,
		const char *source,
		const char *params,
		const char *event)
{
	const char *values[] = {
		feed[FEED_ENDPOINT],
		psprintf(INT64_FORMAT, task->timing_partner_id),
		task->provider_name,
		psprintf("%d", task->priority),
		params,
		event,
	};
	int64 count = 0;

	sync_kit_spi_run(sync_kit_bind_schema(psprintf(ENQUEUE
												   "%s AS p (params, event)",
												   source)),
					 sync_kit_text_params(lengthof(values), values),
					 false,
					 sync_kit_take_number,
					 &count);
	return count;
}

/*
 * SQL that gives the parameters for each row of a parent's table, or for those
 * of the event $6.
 */
static char *
compose_params(char **feed, SyncStream *parent)
{
	const char *event =
		feed[FEED_EVENT_COLUMN]
			? psprintf("t.%s::text", sync_kit_quote(feed[FEED_EVENT_COLUMN]))
			: "NULL::text";

	if (parent->endpoint == NULL || parent->endpoint->tenant_column == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("%s does not say which column has the tenant",
					   parent->label),
				errdetail("Endpoint \"%s\" is asked for the rows of its table.",
						  feed[FEED_ENDPOINT]),
				errhint("Give it a tenant_column, as sync_create_provider_tables() does."));
	return psprintf("(SELECT DISTINCT pg_catalog.jsonb_build_object(%s), %s"
					" FROM %s AS t WHERE t.%s = $2::bigint"
					" AND ($6 IS NULL OR %s = $6))",
					feed[FEED_PARAMS],
					event,
					parent->target,
					sync_kit_quote(parent->endpoint->tenant_column),
					event);
}

/*
 * Raise that a feed has no stream, or no push.
 */
static void
report_missing(const SyncTask *task, char **feed, const char *what)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("there is no %s \"%s\" for provider \"%s\"",
				   what,
				   feed[FEED_ENDPOINT],
				   task->provider_name),
			errhint("Run SELECT sync_create_provider_tables(%s).",
					quote_literal_cstr(task->provider_name)));
}
