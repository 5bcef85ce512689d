/*-------------------------------------------------------------------------
 *
 * http_internal.h
 *	  What the files of this folder share, and nobody else knows.
 *
 * Callbacks of libcurl may not raise: they note what is wrong and return, and
 * the error is raised later by whoever asks for the answer.  For the same
 * reason the bytes of an answer lie in malloc'ed memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <curl/curl.h>

#include "datatype/timestamp.h"
#include "lib/ilist.h"

#include "http/http.h"

#define ADDRESS_TEXT_MAX 64

/* Bytes that grow, malloc'ed */
typedef struct SyncHttpBuffer
{
	char *data;
	Size length;
	Size capacity;
} SyncHttpBuffer;

/* Why we ended a transfer ourselves */
typedef enum SyncHttpRefusal
{
	SYNC_HTTP_NOT_REFUSED,
	SYNC_HTTP_REFUSED_ADDRESS,
	SYNC_HTTP_REFUSED_BODY_SIZE,
	SYNC_HTTP_REFUSED_HEADER_SIZE,
	SYNC_HTTP_REFUSED_MEMORY,
	SYNC_HTTP_REFUSED_DESCRIPTORS,
	SYNC_HTTP_REFUSED_REDIRECT,
	SYNC_HTTP_REFUSED_REDIRECTS, /* too many */
} SyncHttpRefusal;

struct SyncHttpTransfer
{
	dlist_node node; /* in one of the lists of http_session.c */
	const SyncHttpRequest *request;
	SyncHttpState state;
	char *shown; /* the URL as messages show it */
	CURL *easy;
	struct curl_slist *headers;
	MemoryContextCallback on_reset;
	TimestampTz deadline;
	TimestampTz redirected_at;
	int64 max_size;

	/* where the last redirect led to, malloc'ed; NULL: there was none */
	char *redirected;
	int redirects;
	int64 elapsed_us; /* until then */

	/* of a mail */
	struct curl_slist *recipients;
	Size body_sent;

	/* the answer, so far */
	CURLcode result;
	char reason[CURL_ERROR_SIZE]; /* of libcurl */
	SyncHttpRefusal refusal;
	char refused[ADDRESS_TEXT_MAX]; /* the address that was */
	SyncHttpBuffer header;			/* of the last answer, all lines */
	SyncHttpBuffer body;
	Size taken;		/* bytes of a streamed body that were handed out */
	int64 received; /* bytes of the body in all */
	bool paused;	/* until what came is taken */
	bool long_line; /* what came of it is no whole line yet */
};

/* in http_session.c */
extern void sync_http_session_add(SyncHttpTransfer *transfer);
extern void sync_http_session_remove(SyncHttpTransfer *transfer);
extern void sync_http_session_resume(SyncHttpTransfer *transfer);

/* in http_transfer.c */
extern bool sync_http_buffer_add(SyncHttpBuffer *buffer,
								 const char *data,
								 Size length);
extern void sync_http_prepare(SyncHttpTransfer *transfer);
extern bool sync_http_redirect(SyncHttpTransfer *transfer);

/* in http_mail.c */
extern void sync_http_prepare_mail(SyncHttpTransfer *transfer);
extern void sync_http_check_mail(const SyncHttpMail *mail, const char *shown);
extern char *sync_http_mail_refusal(SyncHttpTransfer *transfer);

/* in http_unpack.c */
extern void sync_http_unpack(SyncHttpTransfer *transfer);

/* in http_guard.c */
extern void sync_http_guard_easy(SyncHttpTransfer *transfer);

/* in http_url.c */
extern CURLU *sync_http_parse_url(const char *url);
extern CURLU *sync_http_parse_mail_url(const char *url);
extern bool sync_http_redirect_target(const char *from,
									  const char *location,
									  char **target);

#endif /* HTTP_INTERNAL_H */
