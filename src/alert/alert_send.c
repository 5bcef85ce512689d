/*-------------------------------------------------------------------------
 *
 * alert_send.c
 *	  A message on its way: the request that a channel is sent, and whether it
 *	  was taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "alert/alert.h"
#include "kit/kit_cipher.h"
#include "kit/kit_error.h"

#define ANSWER_BYTES_MAX  65536
#define SEGMENT_BYTES_MIN 8 /* of a path, to be a secret by itself */

static void compose_post(SyncHttpRequest *request,
						 SyncAlertChannel *channel,
						 const char *json);
static List *secrets_of_url(char *url);
static void sign(SyncHttpRequest *request, const char *secret);
static void compose_mail(SyncHttpRequest *request,
						 SyncAlertChannel *channel,
						 SyncAlertMessage *message);
static void add_header(SyncHttpRequest *request,
					   const char *name,
					   const char *value);

/*
 * The request that tells a channel of a message, in the current memory context.
 */
SyncHttpRequest *
sync_alert_compose(SyncAlertChannel *channel, SyncAlertMessage *message)
{
	SyncHttpRequest *request = palloc0(sizeof(SyncHttpRequest));

	request->method = "POST";
	request->max_size = ANSWER_BYTES_MAX;
	if (strcmp(channel->kind, "email") == 0)
		compose_mail(request, channel, message);
	else if (strcmp(channel->kind, "slack") == 0)
		compose_post(request, channel, sync_alert_slack(message));
	else
	{
		compose_post(request, channel, sync_alert_json(message));
		sign(request, sync_kit_json_string(channel->secrets, "secret"));
	}
	return request;
}

/*
 * Raise unless a channel took what it was sent.  The transfer is done.
 */
void
sync_alert_check_answer(SyncAlertChannel *channel,
						SyncHttpRequest *request,
						SyncHttpTransfer *transfer)
{
	int status = sync_http_status(transfer);
	char *text;
	Size length;

	sync_http_check(transfer);
	if (request->mail || status / 100 == 2)
		return;
	text = sync_http_text(transfer, &length);
	ereport(ERROR,
			errcode(SYNC_ERRCODE_HTTP_STATUS),
			errmsg("alert channel \"%s\" does not take the message",
				   channel->name),
			errdetail("\"%s\" answered with status %d: %s",
					  sync_http_shown_url(request->url, true),
					  status,
					  sync_http_repeat(text, request->secrets)));
}

/*
 * A request that posts JSON to the URL of a channel.
 */
static void
compose_post(SyncHttpRequest *request,
			 SyncAlertChannel *channel,
			 const char *json)
{
	JsonbValue *headers = sync_kit_json_member(channel->secrets, "headers");
	ListCell *cell;

	request->url = sync_kit_json_string(channel->secrets, "url");
	request->hide_path = true;
	request->secrets = secrets_of_url(unconstify(char *, request->url));
	request->body = pg_server_to_any(json, strlen(json), PG_UTF8);
	request->body_length = strlen(request->body);
	add_header(request, "Content-Type", "application/json; charset=utf-8");
	add_header(request, "User-Agent", "sync_ext");
	if (headers == NULL)
		return;
	foreach(cell, sync_kit_json_members(headers))
	{
		SyncJsonMember *header = lfirst(cell);
		char *value = sync_kit_json_text(header->value);

		add_header(request, header->name, value);
		request->secrets = lappend(request->secrets, value);
	}
}

/*
 * What of a URL is a secret: all of it, and what its path has in it.
 */
static List *
secrets_of_url(char *url)
{
	List *secrets = list_make1(url);
	const char *at = strstr(url, "://");

	at += strcspn(at + 3, "/?") + 3;
	while (*at)
	{
		size_t length = strcspn(++at, "/?&=");

		if (length >= SEGMENT_BYTES_MIN)
			secrets = lappend(secrets, pnstrdup(at, length));
		at += length;
	}
	return secrets;
}

/*
 * Sign a request: HMAC-SHA256 of the time, a dot and the body.  The time keeps
 * others from sending it again later.
 */
static void
sign(SyncHttpRequest *request, const char *secret)
{
	char *at = psprintf(INT64_FORMAT,
						(int64) timestamptz_to_time_t(GetCurrentTimestamp()));
	char *digest = sync_kit_hmac(secret, psprintf("%s.%s", at, request->body));

	request->secrets = lappend(request->secrets, unconstify(char *, secret));
	add_header(request, "X-Sync-Timestamp", at);
	add_header(request, "X-Sync-Signature", psprintf("sha256=%s", digest));
}

/*
 * A mail.
 */
static void
compose_mail(SyncHttpRequest *request,
			 SyncAlertChannel *channel,
			 SyncAlertMessage *message)
{
	SyncHttpMail *mail = palloc0(sizeof(SyncHttpMail));
	JsonbValue *to = sync_kit_json_member(channel->config, "to");
	char *tls = sync_kit_json_string(channel->config, "tls");
	bool all_tls = tls && strcmp(tls, "tls") == 0;
	int64 port;
	ListCell *cell;

	mail->plain = tls && strcmp(tls, "starttls") != 0;
	port = sync_kit_json_integer(channel->config,
								 "port",
								 all_tls	   ? 465
								 : mail->plain ? 25
											   : 587);
	mail->from = sync_kit_json_string(channel->config, "from");
	if (sync_kit_json_is_array(to))
		foreach(cell, sync_kit_json_elements(to))
			mail->to = lappend(mail->to, sync_kit_json_text(lfirst(cell)));
	else
		mail->to = list_make1(sync_kit_json_text(to));
	mail->user = sync_kit_json_string(channel->config, "user");
	if (mail->user)
	{
		mail->password = sync_kit_json_string(channel->secrets, "password");
		request->secrets = list_make1(unconstify(char *, mail->password));
	}
	request->mail = mail;
	request->url = psprintf("%s://%s:" INT64_FORMAT,
							all_tls ? "smtps" : "smtp",
							sync_kit_json_string(channel->config, "host"),
							port);
	request->body = sync_alert_mail(message, mail->from, mail->to);
	request->body_length = strlen(request->body);
}

/*
 * Add a header to a request.
 */
static void
add_header(SyncHttpRequest *request, const char *name, const char *value)
{
	SyncHttpHeader *header = palloc(sizeof(SyncHttpHeader));

	header->name = pstrdup(name);
	header->value = pstrdup(value);
	request->headers = lappend(request->headers, header);
}
