/*-------------------------------------------------------------------------
 *
 * http_guard.c
 *	  What a request may be, and whom it may reach.
 *
 * A name is allowed or not by sync_ext.http_allowed_hosts before anything is
 * done.  An address is judged at the socket that is about to be connected to
 * it, after the name was looked up: whatever the name says, and however a number
 * is written in a URL, that is the place that a packet would go to.  A
 * connection that is used again is judged again, since settings change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/fd.h"

#include "http/http_internal.h"
#include "kit/kit_network.h"
#include "kit/kit_settings.h"

static bool host_is_allowed(const char *host);
static bool host_matches(const char *host, const char *pattern, size_t length);
static bool is_token(const char *text);
static bool is_clean(const char *text);
static bool may_reach(const SyncAddress *address);
static curl_socket_t open_socket(void *arg,
								 curlsocktype purpose,
								 struct curl_sockaddr *address);
static int close_socket(void *arg, curl_socket_t socket);
static int before_request(void *arg,
						  char *remote,
						  char *local,
						  int remote_port,
						  int local_port);

/*
 * Raise unless a request is one that may be sent.  "shown" is its URL as
 * messages show it.
 */
void
sync_http_check_request(const SyncHttpRequest *request, const char *shown)
{
	CURLU *parsed = NULL;
	char *user = NULL;
	char *host;
	ListCell *cell;

	if (!is_token(request->method))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("HTTP method \"%s\" is not valid", request->method));
	if (is_clean(request->url))
		parsed = request->mail ? sync_http_parse_mail_url(request->url)
							   : sync_http_parse_url(request->url);
	if (parsed == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("URL \"%s\" is not valid", shown),
				errhint("It must begin with http:// or https:// and a host; other characters than those of URLs are written as %%XX."));
	curl_url_get(parsed, CURLUPART_USER, &user, 0);
	curl_url_cleanup(parsed);
	if (user)
	{
		curl_free(user);
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("URL \"%s\" has a user name in it", shown),
				errhint("Let the provider's auth say who asks."));
	}

	host = sync_http_host(request->url);
	if (!host_is_allowed(host))
		ereport(ERROR,
				errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("host \"%s\" may not be asked", host),
				errdetail("Setting sync_ext.http_allowed_hosts does not name it."));

	if (request->mail)
		sync_http_check_mail(request->mail, shown);
	foreach(cell, request->headers)
	{
		SyncHttpHeader *header = lfirst(cell);
		const char *fault = sync_http_header_fault(header->name, header->value);

		if (fault)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("header \"%s\" cannot be sent to \"%s\"",
						   header->name,
						   shown),
					errdetail_internal("%s", fault));
	}
}

/*
 * What is wrong with a header, as a sentence; NULL where nothing is.  A line end
 * in it would let its value add headers of its own.
 */
const char *
sync_http_header_fault(const char *name, const char *value)
{
	if (!is_token(name))
		return "Its name has characters that names of headers cannot have.";
	for (const unsigned char *c = (const unsigned char *) value; *c; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f)
			return "Its value has a line end or another control character.";
	return NULL;
}

/*
 * May a host of that name be asked, by sync_ext.http_allowed_hosts?
 */
static bool
host_is_allowed(const char *host)
{
	const char *pattern = sync_guc_http_allowed_hosts;

	for (;;)
	{
		size_t length;

		pattern += strspn(pattern, ", \t\r\n");
		length = strcspn(pattern, ", \t\r\n");
		if (length == 0)
			return false;
		if (host_matches(host, pattern, length))
			return true;
		pattern += length;
	}
}

/*
 * Does a pattern name a host: by itself, as "*" or as "*.domain"?
 */
static bool
host_matches(const char *host, const char *pattern, size_t length)
{
	size_t tail;

	if (length == 1 && pattern[0] == '*')
		return true;
	if (length > 2 && pattern[0] == '*' && pattern[1] == '.')
	{
		tail = length - 1;
		return strlen(host) > tail &&
			   pg_strncasecmp(host + strlen(host) - tail, pattern + 1, tail) ==
				   0;
	}
	return strlen(host) == length && pg_strncasecmp(host, pattern, length) == 0;
}

/*
 * Is this what HTTP calls a token: one or more of a few harmless characters?
 */
static bool
is_token(const char *text)
{
	return text[0] != '\0' &&
		   text[strspn(text,
					   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789!#$%&'*+-.^_`|~")] == '\0';
}

/*
 * Has a text printable ASCII characters only, and no blanks?
 */
static bool
is_clean(const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	return true;
}

/*
 * Set all that keeps a transfer within its bounds.
 */
void
sync_http_guard_easy(SyncHttpTransfer *transfer)
{
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy,
					 CURLOPT_PROTOCOLS_STR,
					 transfer->request->mail ? "smtp,smtps" : "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (sync_guc_http_ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, sync_guc_http_ca_file);
	/* "": none, also where the environment names one */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

/*
 * May a connection lead to that address?
 */
static bool
may_reach(const SyncAddress *address)
{
	return !sync_kit_address_is_private(address) ||
		   sync_kit_address_in(address, sync_guc_http_private_networks);
}

/*
 * Make a socket for an address, if it may be reached; a callback of libcurl.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *target)
{
	SyncHttpTransfer *transfer = arg;
	SyncAddress address;
	int fd;

	if (!sync_kit_address_of(&target->addr, &address) || !may_reach(&address))
	{
		transfer->refusal = SYNC_HTTP_REFUSED_ADDRESS;
		inet_ntop(address.length == 4 ? AF_INET : AF_INET6,
				  address.bytes,
				  transfer->refused,
				  sizeof(transfer->refused));
		return CURL_SOCKET_BAD;
	}
	if (!AcquireExternalFD())
	{
		transfer->refusal = SYNC_HTTP_REFUSED_DESCRIPTORS;
		return CURL_SOCKET_BAD;
	}
	fd = socket(target->family,
				target->socktype | SOCK_CLOEXEC,
				target->protocol);
	if (fd < 0)
	{
		transfer->refusal = SYNC_HTTP_REFUSED_DESCRIPTORS;
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
	/* another address of the same name may have been refused before */
	transfer->refusal = SYNC_HTTP_NOT_REFUSED;
	return fd;
}

/*
 * Close a socket; a callback of libcurl.
 */
static int
close_socket(void *arg, curl_socket_t socket)
{
	ReleaseExternalFD();
	return close(socket);
}

/*
 * Judge the connection that a request is about to be sent on, which may be one
 * that was there; a callback of libcurl.
 */
static int
before_request(void *arg,
			   char *remote,
			   char *local,
			   int remote_port,
			   int local_port)
{
	SyncHttpTransfer *transfer = arg;
	SyncAddress address;

	if (sync_kit_address_parse(remote, &address) && may_reach(&address))
	{
		if (transfer->request->on_send)
			transfer->request->on_send(transfer->request->on_send_arg);
		return CURL_PREREQFUNC_OK;
	}
	transfer->refusal = SYNC_HTTP_REFUSED_ADDRESS;
	strlcpy(transfer->refused, remote, sizeof(transfer->refused));
	return CURL_PREREQFUNC_ABORT;
}
