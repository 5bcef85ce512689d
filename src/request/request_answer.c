/*-------------------------------------------------------------------------
 *
 * request_answer.c
 *	  The answers to requests, and how long they are kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "kit/kit_json.h"
#include "kit/kit_spi.h"
#include "request/request.h"

static bool says_text(const char *type);
static char *read_text(SyncHttpTransfer *transfer,
					   Size *length,
					   ErrorData **fault);
static Jsonb *headers_of(SyncHttpTransfer *transfer);
static int compare_headers(const ListCell *a, const ListCell *b);
static Datum make_bytes(const char *data, Size length);

/*
 * Keep the answer to a request, in place of one that came before.  Where its body
 * is no text and should be one, it is left out, and "fault" says so.  Returns
 * what history is told, jsonb, in the current memory context.
 */
Datum *
sync_request_keep_answer(SyncTask *task,
						 SyncHttpTransfer *transfer,
						 ErrorData **fault)
{
	ParamListInfo params = makeParamList(7);
	int status = sync_http_status(transfer);
	JsonbParseState *state = NULL;
	Datum *details = palloc(sizeof(Datum));
	Size length = 0;
	char *data;

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(task->queue_id));
	sync_kit_set_param(params, 1, INT4OID, Int32GetDatum(status));
	sync_kit_set_param(params,
					   2,
					   JSONBOID,
					   JsonbPGetDatum(headers_of(transfer)));
	sync_kit_set_null(params, 3, TEXTOID);
	sync_kit_set_null(params, 4, BYTEAOID);
	if (!says_text(sync_http_header(transfer, "Content-Type")))
	{
		data = sync_http_bytes_of(transfer, &length);
		sync_kit_set_param(params, 4, BYTEAOID, make_bytes(data, length));
	}
	else if ((data = read_text(transfer, &length, fault)) != NULL)
		sync_kit_set_param(params, 3, TEXTOID, make_bytes(data, length));
	sync_kit_set_param(params, 5, OIDOID, ObjectIdGetDatum(task->run_as));
	sync_kit_set_param(params,
					   6,
					   TIMESTAMPTZOID,
					   TimestampTzGetDatum(GetCurrentTimestamp()));
	(void)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_answers"
							 " (queue_id, status, headers, body, body_bytes, run_as, received_at)"
							 " VALUES ($1, $2, $3, $4, $5, $6, $7)"
							 " ON CONFLICT (queue_id) DO UPDATE SET status = excluded.status,"
							 " headers = excluded.headers, body = excluded.body,"
							 " body_bytes = excluded.body_bytes, run_as = excluded.run_as,"
							 " received_at = excluded.received_at",
							 params,
							 false,
							 NULL,
							 NULL);

	sync_kit_json_begin(&state);
	sync_kit_json_put(&state, "status", sync_kit_json_new_integer(status));
	sync_kit_json_put(&state,
					  "bytes",
					  sync_kit_json_new_integer(sync_http_bytes(transfer)));
	*details = JsonbPGetDatum(sync_kit_json_end(&state));
	return details;
}

/*
 * Forget answers that came before some time, and what is kept of requests that
 * are not in the queue any more and were made before it; a SyncPurgeHook.
 */
int64
sync_request_purge(TimestampTz before)
{
	ParamListInfo params = makeParamList(1);

	sync_kit_set_param(params, 0, TIMESTAMPTZOID, TimestampTzGetDatum(before));
	(void)
		sync_kit_spi_run_own("DELETE FROM @extschema@.sync_requests AS r"
							 " WHERE r.created_at < $1 AND " SYNC_QUEUE_LACKS("r.queue_id"),
							 params,
							 false,
							 NULL,
							 NULL);
	return sync_kit_spi_run_own("DELETE FROM @extschema@.sync_answers"
								" WHERE received_at < $1",
								params,
								false,
								NULL,
								NULL);
}

/*
 * Does a Content-Type, NULL where there is none, say that a body is text?
 */
static bool
says_text(const char *type)
{
	static const char *const texts[] = {
		"application/json",
		"application/xml",
		"application/javascript",
		"application/x-www-form-urlencoded",
		"application/x-ndjson",
		"application/graphql",
		"application/yaml",
	};
	size_t length;

	if (type == NULL || pg_strncasecmp(type, "text/", 5) == 0)
		return true;
	length = strcspn(type, "; \t");
	if ((length > 5 && pg_strncasecmp(type + length - 5, "+json", 5) == 0) ||
		(length > 4 && pg_strncasecmp(type + length - 4, "+xml", 4) == 0))
		return true;
	for (int i = 0; i < lengthof(texts); i++)
		if (strlen(texts[i]) == length &&
			pg_strncasecmp(type, texts[i], length) == 0)
			return true;
	return false;
}

/*
 * The body as text, or NULL, and why it is none.
 */
static char *
read_text(SyncHttpTransfer *transfer, Size *length, ErrorData **fault)
{
	MemoryContext caller = CurrentMemoryContext;
	char *volatile text = NULL;

	PG_TRY();
	{
		text = sync_http_text(transfer, length);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		*fault = CopyErrorData();
		if ((*fault)->sqlerrcode != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return text;
}

/*
 * The headers of an answer as an object.
 */
static Jsonb *
headers_of(SyncHttpTransfer *transfer)
{
	List *headers = sync_http_headers(transfer);
	JsonbParseState *state = NULL;
	StringInfoData value;
	ListCell *cell;

	initStringInfo(&value);
	sync_kit_json_begin(&state);
	list_sort(headers, compare_headers);
	foreach(cell, headers)
	{
		SyncHttpHeader *header = lfirst(cell);
		ListCell *next = lnext(headers, cell);

		appendStringInfo(&value,
						 "%s%s",
						 value.len > 0 ? ", " : "",
						 header->value);
		if (next &&
			strcmp(((SyncHttpHeader *) lfirst(next))->name, header->name) == 0)
			continue;
		sync_kit_json_put(&state,
						  header->name,
						  sync_kit_json_new_text(value.data));
		resetStringInfo(&value);
	}
	return sync_kit_json_end(&state);
}

/*
 * Compare headers by name, and those of one name by their place in the answer.
 */
static int
compare_headers(const ListCell *a, const ListCell *b)
{
	const SyncHttpHeader *one = lfirst(a);
	const SyncHttpHeader *other = lfirst(b);
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : one->place - other->place;
}

/*
 * Bytes as a value of type text or bytea.
 */
static Datum
make_bytes(const char *data, Size length)
{
	text *value = palloc(length + VARHDRSZ);

	SET_VARSIZE(value, length + VARHDRSZ);
	if (length > 0)
		memcpy(VARDATA(value), data, length);
	return PointerGetDatum(value);
}
