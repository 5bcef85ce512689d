/*-------------------------------------------------------------------------
 *
 * alert_mail.c
 *	  A message as a mail (RFC 5322).
 *
 * Its body and, where need be, its subject are encoded in base64, so that
 * whatever an error message has in it is text, and never a header.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "alert/alert.h"

#define SUBJECT_CHARS_MAX 200
#define WORD_BYTES_MAX \
	42 /* of an encoded word, so that its line is no longer than 78 */
#define LINE_BYTES_MAX 70
#define ID_BYTES	   16

static void add_subject(StringInfo mail, const char *title);
static char *to_utf8(const char *text);
static char *to_base64(const char *bytes, int length);

/*
 * A message as a mail, in UTF-8 and with CRLF at the ends of its lines.
 */
char *
sync_alert_mail(SyncAlertMessage *message, const char *from, List *to)
{
	char *body = to_utf8(sync_alert_text(message));
	pg_time_t now = timestamptz_to_time_t(GetCurrentTimestamp());
	unsigned char id[ID_BYTES];
	StringInfoData mail;
	char date[64];
	ListCell *cell;

	if (!pg_strong_random(id, sizeof(id)))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random values"));
	pg_strftime(date,
				sizeof(date),
				"%a, %d %b %Y %H:%M:%S +0000",
				pg_gmtime(&now));
	initStringInfo(&mail);
	appendStringInfo(&mail, "Date: %s\r\nFrom: <%s>\r\nTo: ", date, from);
	foreach(cell, to)
		appendStringInfo(&mail,
						 "%s<%s>",
						 foreach_current_index(cell) ? ",\r\n " : "",
						 (char *) lfirst(cell));
	appendStringInfoString(&mail, "\r\nMessage-ID: <");
	for (int i = 0; i < ID_BYTES; i++)
		appendStringInfo(&mail, "%02x", id[i]);
	appendStringInfo(&mail, "@%s>\r\n", strchr(from, '@') + 1);
	add_subject(&mail, sync_alert_title(message));
	appendStringInfoString(&mail,
						   "Auto-Submitted: auto-generated\r\n"
						   "MIME-Version: 1.0\r\n"
						   "Content-Type: text/plain; charset=utf-8\r\n"
						   "Content-Transfer-Encoding: base64\r\n"
						   "\r\n");
	for (char *line = strtok(to_base64(body, strlen(body)), "\n"); line;
		 line = strtok(NULL, "\n"))
		appendStringInfo(&mail, "%s\r\n", line);
	return mail.data;
}

/*
 * Write the subject, as it is where that is plain and short, else as encoded
 * words (RFC 2047), which end between characters.
 */
static void
add_subject(StringInfo mail, const char *title)
{
	char *text = to_utf8(pnstrdup(title,
								  pg_mbcharcliplen(title,
												   strlen(title),
												   SUBJECT_CHARS_MAX)));
	bool plain = strlen(text) <= LINE_BYTES_MAX;

	for (unsigned char *c = (unsigned char *) text; *c; c++)
	{
		if (*c < ' ' || *c == 0x7f)
			*c = ' ';
		plain &= *c < 0x7f && *c != '=';
	}
	appendStringInfoString(mail, "Subject: ");
	if (plain)
	{
		appendStringInfo(mail, "%s\r\n", text);
		return;
	}
	for (const char *from = text; *from;)
	{
		int length =
			pg_encoding_mbcliplen(PG_UTF8, from, strlen(from), WORD_BYTES_MAX);

		appendStringInfo(mail,
						 "%s=?UTF-8?B?%s?=\r\n",
						 from == text ? "" : " ",
						 to_base64(from, length));
		from += length;
	}
}

/*
 * A text of this database in UTF-8.
 */
static char *
to_utf8(const char *text)
{
	char *converted = pg_server_to_any(text, strlen(text), PG_UTF8);

	return converted == text ? pstrdup(text) : converted;
}

/*
 * Bytes in base64, in lines of 76 characters.
 */
static char *
to_base64(const char *bytes, int length)
{
	return TextDatumGetCString(DirectFunctionCall2(
		binary_encode,
		PointerGetDatum(cstring_to_text_with_len(bytes, length)),
		CStringGetTextDatum("base64")));
}
