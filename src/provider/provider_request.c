/*-------------------------------------------------------------------------
 *
 * provider_request.c
 *	  From an endpoint, and what it is asked for, to a request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_known.h"
#include "provider/provider_push.h"

static void begin_url(SyncFetch *fetch, SyncUrl *url, bool *secret);
static char *expand_path(SyncFetch *fetch);
static bool has_parameter(SyncUrl *url, const char *name);
static void add_templates(SyncFetch *fetch, SyncUrl *url, JsonbValue *templates);
static void add_headers(SyncFetch *fetch,
						SyncHttpRequest *request,
						JsonbValue *templates);
static bool has_header(List *headers, const char *name);
static void add_since(SyncFetch *fetch, SyncUrl *url);

/*
 * Compose the request for the page at hand, in the current memory context.
 */
SyncHttpRequest *
sync_provider_compose(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	SyncHttpRequest *request = palloc0(sizeof(SyncHttpRequest));
	char *format = sync_kit_json_string(endpoint->records, "format");
	SyncUrl url;

	request->method = endpoint->method;
	request->secrets = sync_provider_secrets(fetch);
	request->timeout_ms = endpoint->timeout_ms;
	request->idle_timeout_ms = endpoint->idle_timeout_ms;
	request->max_size = endpoint->max_size;
	request->streamed = format && strcmp(format, "ndjson") == 0;
	request->once = !sync_provider_is_harmless(fetch);

	begin_url(fetch, &url, &request->hide_path);
	if (fetch->pager.next_url == NULL)
	{
		add_templates(fetch, &url, endpoint->query);
		add_since(fetch, &url);
		sync_provider_page_add(fetch, &url);
	}
	add_templates(fetch, &url, endpoint->provider->query);
	add_headers(fetch, request, endpoint->headers);
	add_headers(fetch, request, endpoint->provider->headers);
	if (!fetch->preview)
		sync_provider_authenticate(fetch, &url, request);
	sync_provider_add_body(fetch, request);
	if (!has_header(request->headers, "Accept"))
		sync_provider_add_header(&request->headers,
								 "Accept",
								 request->streamed ? "application/x-ndjson"
												   : "application/json");
	if (!has_header(request->headers, "User-Agent"))
		sync_provider_add_header(&request->headers, "User-Agent", "sync_ext");
	request->url = url.text.data;
	sync_provider_add_validator(fetch, request);
	return request;
}

/*
 * Add a parameter to a URL, unless it has one of that name.
 */
void
sync_provider_url_add(SyncUrl *url, const char *name, const char *value)
{
	if (has_parameter(url, name))
		return;
	appendStringInfo(&url->text,
					 "%c%s=%s",
					 url->has_query ? '&' : '?',
					 sync_http_encode(name),
					 sync_http_encode(value));
	url->has_query = true;
}

/*
 * The fields of a form, as the body of a request has them.  What fills in
 * templates is noted in "secrets", unless that is NULL.
 */
char *
sync_provider_form(JsonbValue *fields, const SyncScope *scope, List **secrets)
{
	StringInfoData form;
	ListCell *cell;

	initStringInfo(&form);
	foreach(cell, sync_kit_json_members(fields))
	{
		SyncJsonMember *field = lfirst(cell);
		char *text = sync_kit_json_text(field->value);
		const char *missing;
		char *value =
			sync_provider_expand(text, scope, SYNC_ENCODE_NOT, &missing);

		if (missing)
			continue;
		appendStringInfo(&form,
						 "%s%s=%s",
						 form.len > 0 ? "&" : "",
						 sync_http_encode(field->name),
						 sync_http_encode(value));
		if (secrets && strchr(text, '{'))
			*secrets = lappend(*secrets, value);
	}
	return form.data;
}

/*
 * Add a header.
 */
void
sync_provider_add_header(List **headers, const char *name, const char *value)
{
	SyncHttpHeader *header = palloc(sizeof(SyncHttpHeader));

	header->name = pstrdup(name);
	header->value = pstrdup(value);
	*headers = lappend(*headers, header);
}

/*
 * The URL without parameters of our own: the base and the path, or a whole one
 * that an answer gave.  That must lead to the provider's host, as it gets the
 * credential.
 */
static void
begin_url(SyncFetch *fetch, SyncUrl *url, bool *secret)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	const char *base = endpoint->provider->base_url;
	bool whole = fetch->pager.next_url != NULL ||
				 sync_provider_is_whole_url(endpoint->path);
	const char *path =
		fetch->pager.next_url ? fetch->pager.next_url : expand_path(fetch);
	size_t base_length = strlen(base);

	initStringInfo(&url->text);
	*secret = strstr(endpoint->path, "{credential.") != NULL ||
			  strstr(endpoint->path, "{token.") != NULL;
	if (whole)
	{
		if (!sync_http_same_host(base, path))
			ereport(ERROR,
					errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("endpoint \"%s\" may not ask \"%s\"",
						   endpoint->name,
						   sync_http_shown_url(path, *secret)),
					errdetail("It is not on the host of provider \"%s\".",
							  endpoint->provider->name));
		appendBinaryStringInfo(&url->text, path, strcspn(path, "#"));
	}
	else if (sync_provider_is_absolute(path))
		appendStringInfoString(&url->text, path);
	else
	{
		while (base_length > 0 && base[base_length - 1] == '/')
			base_length--;
		appendBinaryStringInfo(&url->text, base, base_length);
		appendStringInfoString(&url->text, path);
	}
	url->has_query = strchr(url->text.data, '?') != NULL;
}

/*
 * The path with its values.
 */
static char *
expand_path(SyncFetch *fetch)
{
	SyncEndpoint *endpoint = fetch->endpoint;
	bool whole = sync_provider_is_whole_url(endpoint->path);
	const char *missing;
	char *path =
		sync_provider_expand(endpoint->path,
							 &fetch->scope,
							 whole ? SYNC_ENCODE_NOT : SYNC_ENCODE_SEGMENT,
							 &missing);

	if (missing)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("endpoint \"%s\" cannot be asked without %s",
					   endpoint->name,
					   missing),
				errdetail("Its path is \"%s\".", endpoint->path));
	/* a segment of dots would lead elsewhere */
	if (strstr(path, "/../") || strstr(path, "/./") ||
		(strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0) ||
		(strlen(path) >= 2 && strcmp(path + strlen(path) - 2, "/.") == 0))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("endpoint \"%s\" cannot be asked for such a path",
					   endpoint->name),
				errdetail("A value of its path is \".\" or \"..\"."));
	return path;
}

/*
 * Has a URL a parameter of that name?
 */
static bool
has_parameter(SyncUrl *url, const char *name)
{
	const char *at = strchr(url->text.data, '?');
	char *encoded = sync_http_encode(name);
	size_t length = strlen(encoded);

	for (; at; at = strchr(at + 1, '&'))
		if (strncmp(at + 1, encoded, length) == 0 && at[1 + length] == '=')
			return true;
	return false;
}

/*
 * Add the parameters of an object of templates that have a value.
 */
static void
add_templates(SyncFetch *fetch, SyncUrl *url, JsonbValue *templates)
{
	ListCell *cell;

	foreach(cell, sync_kit_json_members(templates))
	{
		SyncJsonMember *member = lfirst(cell);
		const char *missing;
		char *value = sync_provider_expand(sync_kit_json_text(member->value),
										   &fetch->scope,
										   SYNC_ENCODE_NOT,
										   &missing);

		if (missing == NULL)
			sync_provider_url_add(url, member->name, value);
	}
}

/*
 * Add the headers of an object of templates that have a value, unless there is
 * one of the name.
 */
static void
add_headers(SyncFetch *fetch, SyncHttpRequest *request, JsonbValue *templates)
{
	ListCell *cell;

	foreach(cell, sync_kit_json_members(templates))
	{
		SyncJsonMember *member = lfirst(cell);
		const char *missing;
		char *value = sync_provider_expand(sync_kit_json_text(member->value),
										   &fetch->scope,
										   SYNC_ENCODE_NOT,
										   &missing);

		if (missing == NULL && !has_header(request->headers, member->name))
			sync_provider_add_header(&request->headers, member->name, value);
	}
}

/*
 * Is there a header of that name?
 */
static bool
has_header(List *headers, const char *name)
{
	ListCell *cell;

	foreach(cell, headers)
		if (pg_strcasecmp(((SyncHttpHeader *) lfirst(cell))->name, name) == 0)
			return true;
	return false;
}

/*
 * Say since when, where the provider can be told.  Where it takes what comes
 * after a time rather than from it on, a moment earlier, so that nothing of the
 * same moment is missed.
 */
static void
add_since(SyncFetch *fetch, SyncUrl *url)
{
	JsonbValue *incremental = fetch->endpoint->incremental;
	char *mode = sync_kit_json_string(incremental, "mode");
	char *param = sync_kit_json_string(incremental, "param");
	char *format = sync_kit_json_string(incremental, "format");
	char *bound = sync_kit_json_string(incremental, "bound");
	const char *since = fetch->scope.since;
	int64 shift_ms =
		-1000 * sync_kit_json_integer(incremental, "lookback_s", 0);

	if (incremental == NULL || param == NULL ||
		(mode && strcmp(mode, "server") != 0))
		return;
	if (since == NULL)
		since = sync_kit_json_string(incremental, "initial");
	if (since == NULL)
		return;
	if (format && strcmp(format, "text") != 0)
	{
		if (bound && strcmp(bound, "exclusive") == 0)
			shift_ms -= strcmp(format, "epoch_ms") == 0 ? 1 : 1000;
		since = sync_provider_format_time(since, format, shift_ms);
	}
	sync_provider_url_add(url, param, since);
}
