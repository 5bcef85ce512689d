/*-------------------------------------------------------------------------
 *
 * http_transfer.c
 *	  One request: what libcurl is told, and what it tells while it works.
 *
 * A transfer belongs to the memory context in which it was started, and ends
 * with it at the latest; so nothing is left behind by an error, whatever raised
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "http/http_internal.h"
#include "kit/kit_settings.h"

#define REDIRECTS_MAX	 5
#define HEADER_BYTES_MAX (256 * 1024)
#define STREAM_AHEAD_MAX \
	(256 * 1024) /* bytes read ahead of whoever takes them */
#define BUFFER_BYTES_MIN 4096

static void free_transfer(void *transfer);
static void set_method(SyncHttpTransfer *transfer);
static void set_headers(SyncHttpTransfer *transfer);
static void set_limits(SyncHttpTransfer *transfer);
static void add_header(SyncHttpTransfer *transfer, const char *line);
static size_t take_header(char *data, size_t size, size_t count, void *arg);
static size_t take_body(char *data, size_t size, size_t count, void *arg);

/*
 * Start a request.  It runs while sync_http_wait is called.  Raises where it is
 * one that may not be.
 */
SyncHttpTransfer *
sync_http_start(const SyncHttpRequest *request)
{
	SyncHttpTransfer *transfer = palloc0(sizeof(SyncHttpTransfer));

	transfer->request = request;
	transfer->shown = sync_http_shown_url(request->url, request->hide_path);
	transfer->state = SYNC_HTTP_DONE;
	transfer->max_size =
		request->max_size > 0
			? request->max_size
			: sync_guc_http_max_response_size * INT64CONST(1024);
	sync_http_check_request(request, transfer->shown);

	transfer->on_reset.func = free_transfer;
	transfer->on_reset.arg = transfer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &transfer->on_reset);
	sync_http_session_add(transfer);
	return transfer;
}

/*
 * End a transfer, done or not; it must not be used afterwards.
 */
void
sync_http_end(SyncHttpTransfer *transfer)
{
	free_transfer(transfer);
}

/*
 * Give back all that is not the server's memory; done twice it does nothing.
 */
static void
free_transfer(void *arg)
{
	SyncHttpTransfer *transfer = arg;

	sync_http_session_remove(transfer);
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	curl_slist_free_all(transfer->recipients);
	transfer->recipients = NULL;
	free(transfer->redirected);
	transfer->redirected = NULL;
	free(transfer->header.data);
	memset(&transfer->header, 0, sizeof(SyncHttpBuffer));
	free(transfer->body.data);
	memset(&transfer->body, 0, sizeof(SyncHttpBuffer));
}

/*
 * Tell libcurl all about a transfer whose turn it is.  Its time limits begin.
 */
void
sync_http_prepare(SyncHttpTransfer *transfer)
{
	const SyncHttpRequest *request = transfer->request;
	CURL *easy = transfer->easy;

	if (easy == NULL)
	{
		easy = transfer->easy = curl_easy_init();
		if (easy == NULL)
			ereport(ERROR,
					errcode(ERRCODE_OUT_OF_MEMORY),
					errmsg("out of memory"),
					errdetail("A request to \"%s\" could not be started.",
							  transfer->shown));
		if (request->mail)
			sync_http_prepare_mail(transfer);
		else
		{
			set_method(transfer);
			set_headers(transfer);
		}
		curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		/* nor are threads waited for that still look up a name */
		curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
		curl_easy_setopt(easy,
						 CURLOPT_HTTP_VERSION,
						 (long) CURL_HTTP_VERSION_2TLS);
		/* where there will be one connection for many, that is waited for */
		curl_easy_setopt(easy,
						 CURLOPT_PIPEWAIT,
						 pg_strncasecmp(request->url, "https:", 6) == 0 ? 1L
																		: 0L);
		curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
		curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
		curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
		/* on a connection that died meanwhile, libcurl would send it again */
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
		sync_http_guard_easy(transfer);
	}
	set_limits(transfer);
	curl_easy_setopt(easy,
					 CURLOPT_URL,
					 transfer->redirected ? transfer->redirected
										  : request->url);
}

/*
 * The method and the body.
 */
static void
set_method(SyncHttpTransfer *transfer)
{
	const SyncHttpRequest *request = transfer->request;

	if (request->body)
	{
		curl_easy_setopt(transfer->easy,
						 CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) request->body_length);
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, request->body);
	}
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(request->method, "GET") != 0 || request->body)
		curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/*
 * The headers.  What libcurl would add by itself and nobody asked for is left
 * out: a wait for leave to send the body, and the name of a kind of body.
 */
static void
set_headers(SyncHttpTransfer *transfer)
{
	bool has_type = false;
	ListCell *cell;

	foreach(cell, transfer->request->headers)
	{
		SyncHttpHeader *header = lfirst(cell);

		has_type |= pg_strcasecmp(header->name, "Content-Type") == 0;
		/* this is how libcurl is told of a header without a value */
		if (header->value[0] == '\0')
			add_header(transfer, psprintf("%s;", header->name));
		else
			add_header(transfer,
					   psprintf("%s: %s", header->name, header->value));
	}
	add_header(transfer, "Expect:");
	if (!has_type)
		add_header(transfer, "Content-Type:");
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

/*
 * Add a line to the headers.
 */
static void
add_header(SyncHttpTransfer *transfer, const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);

	if (longer == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"),
				errdetail("A request to \"%s\" could not be started.",
						  transfer->shown));
	transfer->headers = longer;
}

/*
 * The time limits.  That of the whole holds for all redirects together.
 */
static void
set_limits(SyncHttpTransfer *transfer)
{
	const SyncHttpRequest *request = transfer->request;
	TimestampTz now = GetCurrentTimestamp();
	long total = request->timeout_ms > 0 ? request->timeout_ms
										 : sync_guc_http_timeout_ms;
	long idle = request->idle_timeout_ms > 0 ? request->idle_timeout_ms
											 : sync_guc_http_idle_timeout_ms;

	if (transfer->redirects == 0)
		transfer->deadline = now + total * INT64CONST(1000);
	total = Max((transfer->deadline - now) / 1000, 1);
	curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, total);
	curl_easy_setopt(transfer->easy,
					 CURLOPT_CONNECTTIMEOUT_MS,
					 (long) sync_guc_http_connect_timeout_ms);
	curl_easy_setopt(transfer->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(transfer->easy,
					 CURLOPT_LOW_SPEED_TIME,
					 Max((idle + 999) / 1000, 1));
}

/*
 * Where a transfer ended with a redirect that may be followed, turn it into the
 * request for where that leads and return true.
 */
bool
sync_http_redirect(SyncHttpTransfer *transfer)
{
	const char *method = transfer->request->method;
	const char *from =
		transfer->redirected ? transfer->redirected : transfer->request->url;
	char *location = NULL;
	char *target;
	long status = 0;

	if (transfer->result != CURLE_OK || transfer->request->mail)
		return false;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 301 && status != 302 && status != 303 && status != 307 &&
		status != 308)
		return false;
	curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);
	if (location == NULL ||
		(strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		return false;

	if (!sync_http_redirect_target(from, location, &target))
	{
		transfer->refusal = SYNC_HTTP_REFUSED_REDIRECT;
		return false;
	}
	if (++transfer->redirects > REDIRECTS_MAX)
	{
		transfer->refusal = SYNC_HTTP_REFUSED_REDIRECTS;
		free(target);
		return false;
	}
	transfer->elapsed_us = sync_http_elapsed_us(transfer);
	free(transfer->redirected);
	transfer->redirected = target;
	transfer->header.length = 0;
	transfer->body.length = 0;
	transfer->taken = 0;
	transfer->received = 0;
	return true;
}

/*
 * Add bytes to a buffer; false where there is no memory for them.
 */
bool
sync_http_buffer_add(SyncHttpBuffer *buffer, const char *data, Size length)
{
	Size needed = buffer->length + length + 1;

	if (needed > buffer->capacity)
	{
		Size capacity =
			Max(Max(buffer->capacity * 2, needed), BUFFER_BYTES_MIN);
		char *grown = realloc(buffer->data, capacity);

		if (grown == NULL)
			return false;
		buffer->data = grown;
		buffer->capacity = capacity;
	}
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
	return true;
}

/*
 * Take a line of the header of an answer; a callback of libcurl.  The line that
 * begins an answer makes those of the one before, as "100 Continue", forgotten.
 */
static size_t
take_header(char *data, size_t size, size_t count, void *arg)
{
	SyncHttpTransfer *transfer = arg;
	Size length = size * count;

	if (length >= 5 && memcmp(data, "HTTP/", 5) == 0)
		transfer->header.length = 0;
	if (transfer->header.length + length > HEADER_BYTES_MAX)
		transfer->refusal = SYNC_HTTP_REFUSED_HEADER_SIZE;
	else if (!sync_http_buffer_add(&transfer->header, data, length))
		transfer->refusal = SYNC_HTTP_REFUSED_MEMORY;
	return transfer->refusal == SYNC_HTTP_NOT_REFUSED ? length : 0;
}

/*
 * Take a piece of the body of an answer; a callback of libcurl.  What is read
 * line by line waits while much of it has not been taken, unless that is not yet
 * a line.
 */
static size_t
take_body(char *data, size_t size, size_t count, void *arg)
{
	SyncHttpTransfer *transfer = arg;
	Size length = size * count;

	if (transfer->request->streamed && !transfer->long_line &&
		transfer->body.length - transfer->taken >= STREAM_AHEAD_MAX)
	{
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	transfer->received += length;
	if (transfer->body.length - transfer->taken + length > transfer->max_size)
		transfer->refusal = SYNC_HTTP_REFUSED_BODY_SIZE;
	else if (!sync_http_buffer_add(&transfer->body, data, length))
		transfer->refusal = SYNC_HTTP_REFUSED_MEMORY;
	return transfer->refusal == SYNC_HTTP_NOT_REFUSED ? length : 0;
}
