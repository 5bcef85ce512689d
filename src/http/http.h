/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP requests and mails, over libcurl: the only place that talks to the
 *	  web.
 *
 * A request is started (http_transfer.c) and goes on while sync_http_wait
 * (http_session.c) is called, beside all others of this process; nothing needs
 * a transaction meanwhile.  It ends as done, with an answer or a failure.  What
 * a request may be and whom it may reach is decided in http_guard.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HTTP_H
#define HTTP_H

#include "nodes/pg_list.h"

/* A header of a request or an answer */
typedef struct SyncHttpHeader
{
	char *name;
	char *value;
	int place; /* in an answer, from 0 */
} SyncHttpHeader;

/* A mail that is sent rather than an HTTP request */
typedef struct SyncHttpMail
{
	const char *from; /* addresses, without names and brackets */
	List *to;		  /* strings */
	const char *user; /* NULL: it is sent without a login */
	const char *password;
	bool plain; /* TLS is not asked for: none of smtp://, all of smtps:// */
} SyncHttpMail;

/* What is asked; lives as long as its transfer */
typedef struct SyncHttpRequest
{
	const char *method;
	const char *url;
	List *headers;	  /* SyncHttpHeader */
	const char *body; /* NULL: none */
	Size body_length;
	List *secrets;				/* strings that no message may show */
	bool hide_path;				/* the path is a secret too */
	bool streamed;				/* the body is read line by line as it comes */
	bool once;					/* it may do harm to send it twice */
	bool led;					/* a redirect waits for sync_http_follow */
	int timeout_ms;				/* 0: as set */
	int idle_timeout_ms;		/* 0: as set */
	int64 max_size;				/* bytes of the body or of a line; 0: as set */
	void (*on_send)(void *arg); /* called when it is about to be sent; NULL */
	void *on_send_arg;			/* raises nothing */

	/* NULL: none; else the URL is that of a server, and the body the mail */
	const SyncHttpMail *mail;
} SyncHttpRequest;

typedef struct SyncHttpTransfer SyncHttpTransfer;

/* Where a transfer is */
typedef enum SyncHttpState
{
	SYNC_HTTP_WAITING, /* for others to end */
	SYNC_HTTP_RUNNING,
	SYNC_HTTP_REDIRECTED, /* where it may go, once it is told to */
	SYNC_HTTP_DONE,		  /* with an answer, or not */
} SyncHttpState;

/* in http_session.c */
extern bool sync_http_wait(long timeout_ms);
extern void sync_http_follow(SyncHttpTransfer *transfer);

/* in http_transfer.c */
extern SyncHttpTransfer *sync_http_start(const SyncHttpRequest *request);
extern void sync_http_end(SyncHttpTransfer *transfer);

/* in http_answer.c */
extern SyncHttpState sync_http_state(SyncHttpTransfer *transfer);
extern bool sync_http_is_readable(SyncHttpTransfer *transfer);
extern bool sync_http_is_broken(SyncHttpTransfer *transfer);
extern bool sync_http_was_sent(SyncHttpTransfer *transfer);
extern void sync_http_check(SyncHttpTransfer *transfer);
extern int sync_http_status(SyncHttpTransfer *transfer);
extern int64 sync_http_bytes(SyncHttpTransfer *transfer);
extern int64 sync_http_elapsed_us(SyncHttpTransfer *transfer);
extern char *sync_http_header(SyncHttpTransfer *transfer, const char *name);
extern List *sync_http_headers(SyncHttpTransfer *transfer);
extern const char *sync_http_shown(SyncHttpTransfer *transfer);
extern char *sync_http_bytes_of(SyncHttpTransfer *transfer, Size *length);
extern char *sync_http_text(SyncHttpTransfer *transfer, Size *length);
extern char *sync_http_line(SyncHttpTransfer *transfer,
							Size *length,
							bool *whole);

/* in http_mail.c */
extern bool sync_http_is_address(const char *address);

/* in http_guard.c */
extern void sync_http_check_request(const SyncHttpRequest *request,
									const char *shown);
extern const char *sync_http_header_fault(const char *name, const char *value);

/* in http_url.c */
extern char *sync_http_host(const char *url);
extern bool sync_http_same_host(const char *url, const char *other);
extern char *sync_http_resolve(const char *base, const char *reference);
extern char *sync_http_shown_url(const char *url, bool hide_path);
extern char *sync_http_redact(const char *text, List *secrets);
extern char *sync_http_repeat(const char *text, List *secrets);
extern char *sync_http_encode(const char *text);
extern int64 sync_http_parse_wait(const char *header);

#endif /* HTTP_H */
