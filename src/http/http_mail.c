/*-------------------------------------------------------------------------
 *
 * http_mail.c
 *	  Mails: what libcurl is told of them, and what their server says.
 *
 * They are transfers as requests are, with the same limits and the same bounds
 * on whom they may reach.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/http_internal.h"

#define ADDRESS_BYTES_MAX 254

static size_t give_body(char *data, size_t size, size_t count, void *arg);
static bool is_clean(const char *text);

/*
 * Tell libcurl of a mail.  Where TLS is asked for and the server has none, the
 * transfer fails.
 */
void
sync_http_prepare_mail(SyncHttpTransfer *transfer)
{
	const SyncHttpMail *mail = transfer->request->mail;
	CURL *easy = transfer->easy;
	ListCell *cell;

	foreach(cell, mail->to)
	{
		struct curl_slist *longer =
			curl_slist_append(transfer->recipients,
							  psprintf("<%s>", (char *) lfirst(cell)));

		if (longer == NULL)
			ereport(ERROR,
					errcode(ERRCODE_OUT_OF_MEMORY),
					errmsg("out of memory"),
					errdetail("A mail to \"%s\" could not be started.",
							  transfer->shown));
		transfer->recipients = longer;
	}
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, psprintf("<%s>", mail->from));
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer->recipients);
	curl_easy_setopt(easy,
					 CURLOPT_USE_SSL,
					 (long) (mail->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	if (mail->user)
	{
		curl_easy_setopt(easy, CURLOPT_USERNAME, mail->user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, mail->password);
	}
	transfer->body_sent = 0;
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
}

/*
 * Raise unless a mail is one that may be sent.  "shown" is its server.
 */
void
sync_http_check_mail(const SyncHttpMail *mail, const char *shown)
{
	ListCell *cell;

	foreach(cell,
			list_concat(list_make1(unconstify(char *, mail->from)), mail->to))
		if (!sync_http_is_address(lfirst(cell)))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("mail address \"%s\" is not valid",
						   (char *) lfirst(cell)),
					errhint("It is written as name@example.org."));
	if (mail->to == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a mail to \"%s\" has no recipient", shown));
	if (mail->user && (!is_clean(mail->user) || !is_clean(mail->password)))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the login at \"%s\" has a control character in it",
					   shown));
}

/*
 * Is this an address, with nothing in it that could be taken for more?
 */
bool
sync_http_is_address(const char *address)
{
	const char *at = strrchr(address, '@');

	if (at == NULL || at == address || strchr(address, '@') != at ||
		strlen(address) > ADDRESS_BYTES_MAX)
		return false;
	if (strspn(address,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789!#$%&'*+-./=?^_`{|}~") != (size_t) (at - address))
		return false;
	at++;
	return at[0] != '\0' && at[0] != '.' && at[0] != '-' &&
		   at[strspn(at,
					 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789.-")] == '\0';
}

/*
 * The last line in which a mail's server says no, without its end, in the
 * current memory context; NULL where it said none.
 */
char *
sync_http_mail_refusal(SyncHttpTransfer *transfer)
{
	const char *line = transfer->header.data;
	char *refusal = NULL;

	while (line && *line)
	{
		size_t length = strcspn(line, "\r\n");

		if (*line == '4' || *line == '5')
			refusal = pnstrdup(line, length);
		line += length;
		line += strspn(line, "\r\n");
	}
	for (unsigned char *c = (unsigned char *) refusal; c && *c; c++)
		if (*c < ' ' || *c >= 0x7f)
			*c = '?';
	return refusal;
}

/*
 * Give libcurl a piece of a mail; a callback of it.
 */
static size_t
give_body(char *data, size_t size, size_t count, void *arg)
{
	SyncHttpTransfer *transfer = arg;
	const SyncHttpRequest *request = transfer->request;
	Size length = Min(size * count, request->body_length - transfer->body_sent);

	memcpy(data, request->body + transfer->body_sent, length);
	transfer->body_sent += length;
	return length;
}

/*
 * Has a text no control characters?
 */
static bool
is_clean(const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			return false;
	return true;
}
