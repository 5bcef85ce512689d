/*-------------------------------------------------------------------------
 *
 * request_make.c
 *	  Putting requests into the queue, and reading them there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "kit/kit_json.h"
#include "kit/kit_spi.h"
#include "request/request.h"

/* What is kept of a request outside of its task */
typedef struct Kept
{
	bool found;
	char *url;
	char *headers; /* as JSON, NULL: none */
	char *body;	   /* NULL: none */
} Kept;

static Jsonb *make_payload(const SyncWebRequest *request,
						   const char *shown,
						   bool kept);
static void keep(const char *queue_id, const SyncWebRequest *request);
static void take_kept(void *arg, int ncells, char **cells);
static List *read_headers(JsonbValue *headers, List **secrets);

/*
 * Put a request into the queue; "params" are the columns of its task but for the
 * payload, see queue_enqueue.c.  Returns its identity.  Raises where it is one
 * that could not be sent.
 */
int64
sync_request_make(const SyncWebRequest *request, ParamListInfo params)
{
	List *secrets = NIL;
	SyncHttpRequest sent = {
		.method = request->method,
		.url = request->url,
		.body = request->body,
	};
	char *shown = sync_http_shown_url(request->url, false);
	bool kept =
		request->headers || request->body || strcmp(shown, request->url) != 0;
	char *queue_id;

	if (request->headers)
		sent.headers =
			read_headers(sync_kit_json_value(request->headers), &secrets);
	sync_http_check_request(&sent, shown);

	sync_kit_set_param(params,
					   1,
					   JSONBOID,
					   JsonbPGetDatum(make_payload(request, shown, kept)));
	queue_id = sync_queue_enqueue(params, "keep");
	if (kept)
		keep(queue_id, request);
	return strtoi64(queue_id, NULL, 10);
}

/*
 * The payload of a request, of which some may be "kept" elsewhere.
 */
static Jsonb *
make_payload(const SyncWebRequest *request, const char *shown, bool kept)
{
	JsonbParseState *state = NULL;
	JsonbValue yes = {.type = jbvBool, .val.boolean = true};

	sync_kit_json_begin(&state);
	sync_kit_json_put(&state, "url", sync_kit_json_new_text(shown));
	sync_kit_json_put(&state, "method", sync_kit_json_new_text(request->method));
	if (request->timeout_ms > 0)
		sync_kit_json_put(&state,
						  "timeout_ms",
						  sync_kit_json_new_integer(request->timeout_ms));
	if (request->retry)
		sync_kit_json_put(&state, "retry", &yes);
	if (kept)
		sync_kit_json_put(&state, "kept", &yes);
	return sync_kit_json_end(&state);
}

/*
 * Keep what nobody is to see of a request.  That of one which was there already
 * stays.
 */
static void
keep(const char *queue_id, const SyncWebRequest *request)
{
	const char *values[] = {
		queue_id,
		psprintf("%u", GetUserId()),
		request->url,
		request->headers ? JsonbToCString(NULL,
										  &request->headers->root,
										  VARSIZE(request->headers))
						 : NULL,
		request->body,
	};

	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_requests"
							 " (queue_id, run_as, url, headers, body)"
							 " VALUES ($1::bigint, $2::oid, $3, $4::jsonb, $5)"
							 " ON CONFLICT (queue_id) DO NOTHING",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Read the request that a task is, in the current memory context, whether some of
 * it is kept in sync_requests, and whether it may be done twice.
 */
SyncHttpRequest *
sync_request_read(SyncTask *task, bool *is_kept, bool *retry)
{
	SyncHttpRequest *request = palloc0(sizeof(SyncHttpRequest));
	JsonbValue *payload =
		sync_kit_json_value((Jsonb *) PG_DETOAST_DATUM_COPY(task->payload));
	JsonbValue *headers = sync_kit_json_member(payload, "headers");
	const char *method = sync_kit_json_string(payload, "method");

	request->url = sync_kit_json_string(payload, "url");
	request->method = method ? method : "GET";
	request->body = sync_kit_json_string(payload, "body");
	request->timeout_ms =
		(int) Min(sync_kit_json_integer(payload, "timeout_ms", 0),
				  PG_INT32_MAX);
	*retry = sync_kit_json_boolean(payload, "retry", false);
	*is_kept = sync_kit_json_boolean(payload, "kept", false);
	if (*is_kept)
	{
		Kept kept = {0};
		const char *values[] = {
			psprintf(INT64_FORMAT, task->queue_id),
			psprintf("%u", task->run_as),
		};

		(void)
			sync_kit_spi_run_own("SELECT url, headers, body"
								 " FROM @extschema@.sync_requests"
								 " WHERE queue_id = $1::bigint AND run_as = $2::oid",
								 sync_kit_text_params(lengthof(values), values),
								 false,
								 take_kept,
								 &kept);
		if (!kept.found)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("request " INT64_FORMAT " is not there any more",
						   task->queue_id),
					errhint("Make it again with sync_request()."));
		request->url = kept.url;
		request->body = kept.body;
		headers = kept.headers
					  ? sync_kit_json_value(sync_kit_json_parse(kept.headers))
					  : NULL;
	}
	if (request->url == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the payload of a request has no url"));
	if (request->body)
		request->body_length = strlen(request->body);
	if (headers && headers->type != jbvNull)
		request->headers = read_headers(headers, &request->secrets);
	return request;
}

/*
 * Forget what is kept of a request that has been answered.
 */
void
sync_request_forget(const SyncTask *task)
{
	const char *id = psprintf(INT64_FORMAT, task->queue_id);

	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_requests"
								" WHERE queue_id = $1::bigint",
								sync_kit_text_params(1, &id),
								false,
								NULL,
								NULL);
}

/*
 * Take what is kept of a request; a SyncRowSink.
 */
static void
take_kept(void *arg, int ncells, char **cells)
{
	Kept *kept = arg;

	kept->found = true;
	kept->url = pstrdup(cells[0]);
	kept->headers = cells[1] ? pstrdup(cells[1]) : NULL;
	kept->body = cells[2] ? pstrdup(cells[2]) : NULL;
}

/*
 * The headers in an object of texts; their values are secrets.
 */
static List *
read_headers(JsonbValue *headers, List **secrets)
{
	List *list = NIL;
	ListCell *cell;

	if (!sync_kit_json_is_object(headers))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("headers must be an object, not %s",
					   sync_kit_json_type(headers)),
				errhint("As {\"Accept\": \"application/json\"}."));
	foreach(cell, sync_kit_json_members(headers))
	{
		SyncJsonMember *member = lfirst(cell);
		SyncHttpHeader *header = palloc(sizeof(SyncHttpHeader));

		header->name = member->name;
		header->value = sync_kit_json_text(member->value);
		if (header->value == NULL || member->value->type == jbvBinary)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the value of header \"%s\" must be a text, not %s",
						   member->name,
						   sync_kit_json_type(member->value)));
		list = lappend(list, header);
		*secrets = lappend(*secrets, header->value);
	}
	return list;
}
