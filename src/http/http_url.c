/*-------------------------------------------------------------------------
 *
 * http_url.c
 *	  URLs: their hosts, where they lead, and how messages show them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "http/http_internal.h"

#define SECRET_BYTES_MIN 4 /* what is shorter is in every other word */
#define SAID_BYTES_MAX	 300

static char *url_part(CURLU *url, CURLUPart part);
static CURLU *parse(const char *url, const char *scheme);
static char *origin(const char *url);

/*
 * Take a URL apart, to be given back to curl_url_cleanup; NULL where it is
 * none of http or https with a host.
 */
CURLU *
sync_http_parse_url(const char *url)
{
	return parse(url, "http");
}

/*
 * The same for the URL of a mail server, of smtp or smtps.
 */
CURLU *
sync_http_parse_mail_url(const char *url)
{
	return parse(url, "smtp");
}

/*
 * The host of a URL, as it is written there but in lower case; "" where there
 * is none.
 */
char *
sync_http_host(const char *url)
{
	CURLU *parsed = sync_http_parse_url(url);
	char *host;

	if (parsed == NULL)
		parsed = sync_http_parse_mail_url(url);
	if (parsed == NULL)
		return pstrdup("");
	host = url_part(parsed, CURLUPART_HOST);
	curl_url_cleanup(parsed);
	for (char *c = host; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return host;
}

/*
 * Do two URLs lead to one server: the same scheme, host and port?
 */
bool
sync_http_same_host(const char *url, const char *other)
{
	char *a = origin(url);
	char *b = origin(other);

	return a[0] != '\0' && strcmp(a, b) == 0;
}

/*
 * What a reference found in an answer from "base" means: a whole URL, or one
 * beside it.  NULL where it means nothing.
 */
char *
sync_http_resolve(const char *base, const char *reference)
{
	CURLU *parsed = sync_http_parse_url(base);
	char *resolved = NULL;

	if (parsed == NULL)
		return NULL;
	if (curl_url_set(parsed, CURLUPART_URL, reference, 0) == CURLUE_OK)
		resolved = url_part(parsed, CURLUPART_URL);
	curl_url_cleanup(parsed);
	return resolved;
}

/*
 * Where a redirect may lead, malloc'ed: to the same host and port, or from http
 * to https on their usual ports.  False where it may not, as with a user in it.
 * Allocates nothing of the server's and raises nothing.
 */
bool
sync_http_redirect_target(const char *from, const char *location, char **target)
{
	static const CURLUPart parts[] = {
		CURLUPART_SCHEME,
		CURLUPART_HOST,
		CURLUPART_PORT,
	};
	CURLU *urls[2] = {sync_http_parse_url(from), sync_http_parse_url(location)};
	char *texts[2][lengthof(parts)] = {{NULL}};
	char *user = NULL;
	bool valid = urls[0] && urls[1];

	for (int i = 0; i < lengthof(urls); i++)
		for (int part = 0; part < lengthof(parts) && valid; part++)
			valid = curl_url_get(urls[i],
								 parts[part],
								 &texts[i][part],
								 CURLU_DEFAULT_PORT) == CURLUE_OK;
	/* a name and a password are not the provider's to give */
	if (valid && curl_url_get(urls[1], CURLUPART_USER, &user, 0) == CURLUE_OK)
		valid = false;
	curl_free(user);
	if (valid)
	{
		bool upgrade = pg_strcasecmp(texts[0][0], "http") == 0 &&
					   strcmp(texts[0][2], "80") == 0 &&
					   pg_strcasecmp(texts[1][0], "https") == 0 &&
					   strcmp(texts[1][2], "443") == 0;

		valid = pg_strcasecmp(texts[0][1], texts[1][1]) == 0 &&
				(upgrade || (pg_strcasecmp(texts[0][0], texts[1][0]) == 0 &&
							 strcmp(texts[0][2], texts[1][2]) == 0));
	}
	for (int i = 0; i < lengthof(urls); i++)
	{
		for (int part = 0; part < lengthof(parts); part++)
			curl_free(texts[i][part]);
		curl_url_cleanup(urls[i]);
	}
	*target = valid ? strdup(location) : NULL;
	return *target != NULL;
}

/*
 * A URL for people to read: without user, query and fragment, since secrets are
 * there, and without its path where that is one.
 */
char *
sync_http_shown_url(const char *url, bool hide_path)
{
	size_t length = strcspn(url, "?#");
	const char *host = strstr(url, "://");
	const char *at;
	StringInfoData shown;

	initStringInfo(&shown);
	if (host && host < url + length)
	{
		host += 3;
		appendBinaryStringInfo(&shown, url, host - url);
		length -= host - url;
		url = host;
		at = memchr(url, '@', Min(strcspn(url, "/"), length));
		if (at)
		{
			length -= at + 1 - url;
			url = at + 1;
		}
	}
	if (hide_path && strcspn(url, "/") < length)
	{
		appendBinaryStringInfo(&shown, url, strcspn(url, "/"));
		appendStringInfoString(&shown, "/...");
	}
	else
		appendBinaryStringInfo(&shown, url, length);
	return shown.data;
}

/*
 * A text in which no secret of the list is left, nor what one leaves of another
 * that begins with it.
 */
char *
sync_http_redact(const char *text, List *secrets)
{
	StringInfoData redacted;

	initStringInfo(&redacted);
	while (*text)
	{
		size_t longest = 0;
		ListCell *cell;

		foreach(cell, secrets)
		{
			const char *secret = lfirst(cell);
			size_t length = strlen(secret);

			if (length >= SECRET_BYTES_MIN && length > longest &&
				strncmp(text, secret, length) == 0)
				longest = length;
		}
		if (longest > 0)
			appendStringInfoString(&redacted, "***");
		else
			appendStringInfoChar(&redacted, *text);
		text += Max(longest, 1);
	}
	return redacted.data;
}

/*
 * What the other side says, as we say it again: without secrets, on one line and
 * not at length.
 */
char *
sync_http_repeat(const char *text, List *secrets)
{
	char *said = sync_http_redact(text, secrets);

	for (char *c = said; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
	if (strlen(said) <= SAID_BYTES_MAX)
		return said;
	return psprintf("%.*s...",
					pg_mbcliplen(said, strlen(said), SAID_BYTES_MAX),
					said);
}

/*
 * A text as a segment of a path or a value of a query: all but letters, digits
 * and "-._~" percent-encoded.
 */
char *
sync_http_encode(const char *text)
{
	StringInfoData encoded;

	initStringInfo(&encoded);
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || strchr("-._~", *c))
			appendStringInfoChar(&encoded, *c);
		else
			appendStringInfo(&encoded, "%%%02X", *c);
	}
	return encoded.data;
}

/*
 * How long a header as Retry-After says to wait, in milliseconds: a number of
 * seconds, or a date.  -1 where it says nothing.
 */
int64
sync_http_parse_wait(const char *header)
{
	char *end;
	double seconds;
	pg_time_t when;

	if (header == NULL || header[0] == '\0')
		return -1;
	seconds = strtod(header, &end);
	if (*end == '\0' && seconds >= 0 && seconds < 1e9)
		return (int64) (seconds * 1000);
	when = curl_getdate(header, NULL);
	if (when < 0)
		return -1;
	return Max(0, (time_t_to_timestamptz(when) - GetCurrentTimestamp()) / 1000);
}

/*
 * A part of a URL, "" where it has none.
 */
static char *
url_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	char *copy;

	if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == NULL)
		return pstrdup("");
	copy = pstrdup(text);
	curl_free(text);
	return copy;
}

/*
 * Take a URL apart; NULL where it is none of that scheme, by itself or with "s"
 * behind it.
 */
static CURLU *
parse(const char *url, const char *scheme)
{
	CURLU *parsed = curl_url();
	size_t length = strlen(scheme);
	char *found = NULL;
	bool valid;

	if (parsed == NULL)
		return NULL;
	valid = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
			curl_url_get(parsed, CURLUPART_SCHEME, &found, 0) == CURLUE_OK &&
			pg_strncasecmp(found, scheme, length) == 0 &&
			(found[length] == '\0' || pg_strcasecmp(found + length, "s") == 0);
	curl_free(found);
	if (valid)
		return parsed;
	curl_url_cleanup(parsed);
	return NULL;
}

/*
 * Scheme, host and port of a URL; "" where it is none.
 */
static char *
origin(const char *url)
{
	CURLU *parsed = sync_http_parse_url(url);
	char *port = NULL;
	char *text;

	if (parsed == NULL)
		return pstrdup("");
	curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	text = psprintf("%s://%s:%s",
					url_part(parsed, CURLUPART_SCHEME),
					url_part(parsed, CURLUPART_HOST),
					port ? port : "");
	curl_free(port);
	curl_url_cleanup(parsed);
	for (char *c = text; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return text;
}
