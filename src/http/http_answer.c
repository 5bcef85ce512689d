/*-------------------------------------------------------------------------
 *
 * http_answer.c
 *	  What came back: the status, headers and body, or why there is none.
 *
 * A body is text in UTF-8, as JSON is; a byte that cannot be makes it an error
 * of this one request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "http/http_internal.h"
#include "kit/kit_error.h"

static void report_refusal(SyncHttpTransfer *transfer);
static void report_failure(SyncHttpTransfer *transfer);
static char *as_text(SyncHttpTransfer *transfer, char *data, Size *length);

/*
 * Where a transfer is.
 */
SyncHttpState
sync_http_state(SyncHttpTransfer *transfer)
{
	return transfer->state;
}

/*
 * Has it come so far that there is something to be looked at: all of an answer,
 * or, where that is streamed, a part?
 */
bool
sync_http_is_readable(SyncHttpTransfer *transfer)
{
	return transfer->state == SYNC_HTTP_DONE ||
		   (transfer->request->streamed &&
			sync_http_status(transfer) / 100 == 2 &&
			transfer->body.length > transfer->taken) ||
		   transfer->paused;
}

/*
 * Is it done without a whole answer, for a reason that might pass?
 */
bool
sync_http_is_broken(SyncHttpTransfer *transfer)
{
	return transfer->state == SYNC_HTTP_DONE &&
		   transfer->refusal == SYNC_HTTP_NOT_REFUSED &&
		   transfer->result != CURLE_OK &&
		   (!transfer->request->streamed || transfer->body.length == 0);
}

/*
 * May anything of the request have reached the other side?
 */
bool
sync_http_was_sent(SyncHttpTransfer *transfer)
{
	long bytes = 0;

	if (transfer->easy)
		curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

/*
 * Raise where a transfer that is done got no whole answer.
 */
void
sync_http_check(SyncHttpTransfer *transfer)
{
	if (transfer->state != SYNC_HTTP_DONE)
		return;
	if (transfer->refusal != SYNC_HTTP_NOT_REFUSED)
		report_refusal(transfer);
	if (transfer->result != CURLE_OK)
		report_failure(transfer);
}

/*
 * The status of the answer, 0 where none has come yet.
 */
int
sync_http_status(SyncHttpTransfer *transfer)
{
	long status = 0;

	if (transfer->easy)
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/*
 * How many bytes of the body came, unpacked.
 */
int64
sync_http_bytes(SyncHttpTransfer *transfer)
{
	return transfer->received;
}

/*
 * How many microseconds libcurl was at work on it, redirects included; not how
 * long it waited for its turn.
 */
int64
sync_http_elapsed_us(SyncHttpTransfer *transfer)
{
	curl_off_t last_us = 0;

	if (transfer->easy)
		curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &last_us);
	return transfer->elapsed_us + last_us;
}

/*
 * The value of the last header of that name in the answer, NULL where there is
 * none.
 */
char *
sync_http_header(SyncHttpTransfer *transfer, const char *name)
{
	const char *line = transfer->header.data;
	size_t name_length = strlen(name);
	char *value = NULL;

	while (line && *line)
	{
		const char *end = line + strcspn(line, "\r\n");

		if (pg_strncasecmp(line, name, name_length) == 0 &&
			line[name_length] == ':')
		{
			line += name_length + 1;
			line += strspn(line, " \t");
			while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			value = pnstrdup(line, end - line);
			if (!pg_verify_mbstr(PG_UTF8, value, end - line, true))
				value = NULL;
			else
				value = pg_any_to_server(value, end - line, PG_UTF8);
		}
		line = end + strcspn(end, "\n");
		if (*line)
			line++;
	}
	return value;
}

/*
 * The headers of the answer, in their order, with names in lower case, in the
 * current memory context.  One that is no text is left out.
 */
List *
sync_http_headers(SyncHttpTransfer *transfer)
{
	const char *line = transfer->header.data;
	List *headers = NIL;

	while (line && *line)
	{
		size_t length = strcspn(line, "\r\n");
		const char *colon = memchr(line, ':', length);

		/* but for the line of the status */
		if (colon && colon > line && strncmp(line, "HTTP/", 5) != 0)
		{
			SyncHttpHeader *header = palloc(sizeof(SyncHttpHeader));
			const char *value = colon + 1;
			const char *end = line + length;

			value += strspn(value, " \t");
			while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			header->name = pnstrdup(line, colon - line);
			for (char *c = header->name; *c; c++)
				*c = pg_ascii_tolower((unsigned char) *c);
			header->value = pnstrdup(value, Max(end - value, 0));
			if (pg_verify_mbstr(PG_UTF8,
								header->name,
								strlen(header->name),
								true) &&
				pg_verify_mbstr(PG_UTF8,
								header->value,
								strlen(header->value),
								true))
			{
				header->name = pg_any_to_server(header->name,
												strlen(header->name),
												PG_UTF8);
				header->value = pg_any_to_server(header->value,
												 strlen(header->value),
												 PG_UTF8);
				header->place = list_length(headers);
				headers = lappend(headers, header);
			}
		}
		line += length;
		line += strspn(line, "\r\n");
	}
	return headers;
}

/*
 * The URL of a transfer as messages show it.
 */
const char *
sync_http_shown(SyncHttpTransfer *transfer)
{
	return transfer->shown;
}

/*
 * The whole body as it is.  Raises where none came.
 */
char *
sync_http_bytes_of(SyncHttpTransfer *transfer, Size *length)
{
	sync_http_check(transfer);
	*length = transfer->body.length;
	return transfer->body.data;
}

/*
 * The whole body as text of this database, in the current memory context.
 * Raises where it is none.
 */
char *
sync_http_text(SyncHttpTransfer *transfer, Size *length)
{
	sync_http_unpack(transfer);
	sync_http_check(transfer);
	*length = transfer->body.length;
	return as_text(transfer, transfer->body.data, length);
}

/*
 * The next line of a streamed body that is not empty, without its end, as text
 * of this database in the current memory context; NULL where none is at hand,
 * which is for good once the transfer is done.  Then it raises where the body
 * broke off, so that half a line is never taken for a whole one.  It might not be
 * "whole" where the body ends without a line feed.
 */
char *
sync_http_line(SyncHttpTransfer *transfer, Size *length, bool *whole)
{
	SyncHttpBuffer *body = &transfer->body;

	for (;;)
	{
		char *line = body->data + transfer->taken;
		Size left = body->length - transfer->taken;
		char *end = left > 0 ? memchr(line, '\n', left) : NULL;

		*whole = end != NULL;
		if (end == NULL && transfer->state == SYNC_HTTP_DONE)
		{
			sync_http_check(transfer);
			end = line + left;
			transfer->taken = body->length;
		}
		else if (end)
		{
			transfer->taken = end + 1 - body->data;
			transfer->long_line = false;
		}
		if (end && end > line && end[-1] == '\r')
			end--;
		if (end && end > line)
		{
			*length = end - line;
			return as_text(transfer, line, length);
		}
		if (end == NULL || left == 0)
			break;
	}

	if (transfer->taken > 0)
	{
		body->length -= transfer->taken;
		memmove(body->data, body->data + transfer->taken, body->length);
		transfer->taken = 0;
	}
	transfer->long_line = true;
	if (transfer->paused && transfer->state == SYNC_HTTP_RUNNING)
		sync_http_session_resume(transfer);
	return NULL;
}

/*
 * Bytes as text of this database.
 */
static char *
as_text(SyncHttpTransfer *transfer, char *data, Size *length)
{
	char *text;
	char *converted;

	if (*length == 0)
		return pstrdup("");
	if (*length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
	{
		data += 3;
		*length -= 3;
	}
	if (memchr(data, '\0', *length) ||
		!pg_verify_mbstr(PG_UTF8, data, *length, true))
		ereport(ERROR,
				errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				errmsg("the answer of \"%s\" is no text", transfer->shown),
				memchr(data, '\0', *length)
					? errdetail("It has a zero byte.")
					: errdetail("It is not valid in encoding \"UTF8\"."));
	text = palloc_extended(*length + 1, MCXT_ALLOC_HUGE);
	memcpy(text, data, *length);
	text[*length] = '\0';
	converted = pg_any_to_server(text, *length, PG_UTF8);
	if (converted != text)
		*length = strlen(converted);
	return converted;
}

/*
 * Raise why we ended a transfer ourselves.
 */
static void
report_refusal(SyncHttpTransfer *transfer)
{
	const char *shown = transfer->shown;

	switch (transfer->refusal)
	{
		case SYNC_HTTP_REFUSED_ADDRESS:
			ereport(ERROR,
					errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("\"%s\" may not be asked", shown),
					errdetail("It is at %s, an address of a private network or of this machine.",
							  transfer->refused),
					errhint("An administrator can allow networks with sync_ext.http_private_networks."));
			break;
		case SYNC_HTTP_REFUSED_BODY_SIZE:
			ereport(ERROR,
					errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("the answer of \"%s\" is too large", shown),
					errdetail("It has more than " INT64_FORMAT " bytes.",
							  transfer->max_size),
					errhint("See sync_ext.http_max_response_size, and max_size of the endpoint."));
			break;
		case SYNC_HTTP_REFUSED_HEADER_SIZE:
			ereport(ERROR,
					errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("the header of the answer of \"%s\" is too large",
						   shown));
			break;
		case SYNC_HTTP_REFUSED_DESCRIPTORS:
			ereport(ERROR,
					errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					errmsg("could not connect to \"%s\"", shown),
					errdetail("There are too many open files."),
					errhint("Lower sync_ext.http_concurrency, or raise the server's max_files_per_process and \"ulimit -n\" limits."));
			break;
		case SYNC_HTTP_REFUSED_REDIRECT:
			ereport(ERROR,
					errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("\"%s\" redirects to another host", shown),
					errdetail("Redirects are followed on the same host only."),
					errhint("Change the base URL of the provider."));
			break;
		case SYNC_HTTP_REFUSED_REDIRECTS:
			ereport(ERROR,
					errcode(SYNC_ERRCODE_HTTP_TRANSPORT),
					errmsg("\"%s\" redirects too often", shown));
			break;
		default:
			ereport(ERROR,
					errcode(ERRCODE_OUT_OF_MEMORY),
					errmsg("out of memory"),
					errdetail("Reading the answer of \"%s\".", shown));
	}
}

/*
 * Raise what libcurl says of a transfer that went wrong.
 */
static void
report_failure(SyncHttpTransfer *transfer)
{
	const char *reason =
		transfer->reason[0] ? transfer->reason
							: curl_easy_strerror(transfer->result);
	char *detail = sync_http_repeat(reason, transfer->request->secrets);
	bool late = transfer->result == CURLE_OPERATION_TIMEDOUT;
	bool begun = transfer->header.length > 0;
	char *refusal =
		transfer->request->mail ? sync_http_mail_refusal(transfer) : NULL;

	if (refusal)
		ereport(ERROR,
				errcode(SYNC_ERRCODE_HTTP_STATUS),
				errmsg("\"%s\" does not take the mail", transfer->shown),
				errdetail("It said: %s",
						  sync_http_repeat(refusal,
										   transfer->request->secrets)));
	detail[0] = pg_toupper((unsigned char) detail[0]);

	ereport(ERROR,
			errcode(SYNC_ERRCODE_HTTP_TRANSPORT),
			late	? errmsg("\"%s\" took too long", transfer->shown)
			: begun ? errmsg("the answer of \"%s\" broke off", transfer->shown)
					: errmsg("could not get an answer from \"%s\"",
							 transfer->shown),
			errdetail_internal("%s.", pchomp(detail)),
			late
				? errhint("The limits are sync_ext.http_timeout, http_connect_timeout and http_idle_timeout, and those of the endpoint.")
				: 0);
}
