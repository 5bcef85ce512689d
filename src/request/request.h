/*-------------------------------------------------------------------------
 *
 * request.h
 *	  Requests to the web through the queue: sync_requests, sync_answers.
 *
 * A request is a task of operation type "request".  What nobody is to see of it,
 * that is its headers, its body and the query of its URL, is kept in sync_requests
 * and not in the task, whose story is told in history.  Its answer is kept in
 * sync_answers until the history of its time is purged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "http/http.h"
#include "queue/queue.h"
#include "utils/jsonb.h"

/* What is asked for */
typedef struct SyncWebRequest
{
	const char *url;
	const char *method;
	Jsonb *headers;	  /* an object; NULL: none */
	const char *body; /* NULL: none */
	int64 timeout_ms; /* 0: as set */
	bool retry;		  /* also where that may do it twice */
} SyncWebRequest;

/* in request_make.c */
extern int64 sync_request_make(const SyncWebRequest *request,
							   ParamListInfo params);
extern SyncHttpRequest *sync_request_read(SyncTask *task,
										  bool *is_kept,
										  bool *retry);
extern void sync_request_forget(const SyncTask *task);

/* in request_drive.c */
extern void sync_request_init(void);
extern Datum sync_request_perform(FunctionCallInfo fcinfo);

/* in request_answer.c */
extern Datum *sync_request_keep_answer(SyncTask *task,
									   SyncHttpTransfer *transfer,
									   ErrorData **fault);
extern int64 sync_request_purge(TimestampTz before);

#endif /* REQUEST_H */
