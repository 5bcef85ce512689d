/*-------------------------------------------------------------------------
 *
 * request_drive.c
 *	  The driver of requests: one transfer each.
 *
 * An answer that says that nothing was done is kept as any other is, and the
 * attempt has failed.  What failed is tried again where that may help and can do
 * no harm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "history/history.h"
#include "kit/kit_error.h"
#include "queue/queue_driver.h"
#include "request/request.h"

/* A request that is under way */
typedef struct Asking
{
	SyncTask *task;
	bool kept;	/* some of it lies in sync_requests */
	bool twice; /* it may be done twice */
	SyncHttpTransfer *transfer;
} Asking;

static void *begin(SyncTask *task);
static SyncDriveStep step(void *state, int64 *wait_ms);
static Datum *finish(void *state);
static bool may_begin_anew(void *state);
static bool is_idempotent(const char *method);
static bool might_pass(int status);
static ErrorData *status_error(SyncHttpTransfer *transfer);

static const SyncDriver driver = {
	.handler = "sync_sql_task_request",
	.begin = begin,
	.step = step,
	.finish = finish,
	.may_begin_anew = may_begin_anew,
};

/*
 * Have requests driven, and their answers forgotten in time.  Called once from
 * _PG_init.
 */
void
sync_request_init(void)
{
	sync_queue_add_driver(&driver);
	sync_history_on_purge("answers", sync_request_purge);
}

/*
 * Send a request and wait for its answer, for a handler that is called as any
 * function is.
 */
Datum
sync_request_perform(FunctionCallInfo fcinfo)
{
	return sync_queue_drive_plainly(&driver, fcinfo);
}

/*
 * Start a request.  One that may not be done twice, and was begun before, was
 * perhaps done.
 */
static void *
begin(SyncTask *task)
{
	Asking *asking = palloc0(sizeof(Asking));
	bool retry;
	SyncHttpRequest *request = sync_request_read(task, &asking->kept, &retry);

	asking->task = task;
	asking->twice = retry || is_idempotent(request->method);
	if (!asking->twice && task->attempt > 1)
	{
		task->hopeless = true;
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("request " INT64_FORMAT " may not be sent twice",
					   task->queue_id),
				errdetail("It was begun before, and nobody knows whether it was done."),
				errhint("Use sync_retry() to send it all the same, or make such requests with retry => true."));
	}
	asking->transfer = sync_http_start(request);
	return asking;
}

/*
 * A request is done with its transfer; see SyncDriver.
 */
static SyncDriveStep
step(void *state, int64 *wait_ms)
{
	Asking *asking = state;

	return sync_http_state(asking->transfer) == SYNC_HTTP_DONE
			   ? SYNC_DRIVE_DONE
			   : SYNC_DRIVE_WAIT;
}

/*
 * Keep the answer.  The attempt has failed where that says so, or is none that
 * could be kept whole.
 */
static Datum *
finish(void *state)
{
	Asking *asking = state;
	SyncTask *task = asking->task;
	int status = sync_http_status(asking->transfer);
	ErrorData *fault = NULL;
	Datum *details;

	task->hopeless = !asking->twice;
	sync_http_check(asking->transfer);
	details = sync_request_keep_answer(task, asking->transfer, &fault);
	if (status >= 400)
	{
		char *wait = sync_http_header(asking->transfer, "Retry-After");
		int64 wait_ms = sync_http_parse_wait(wait);

		task->failure = status_error(asking->transfer);
		task->hopeless |= !might_pass(status);
		if (wait_ms >= 0)
			task->retry_at =
				TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
	}
	else
		task->failure = fault;
	if (task->failure == NULL && asking->kept)
		sync_request_forget(task);
	return details;
}

/*
 * May it be sent again, as if it had not been?
 */
static bool
may_begin_anew(void *state)
{
	Asking *asking = state;

	return asking->twice ||
		   sync_http_state(asking->transfer) == SYNC_HTTP_WAITING;
}

/*
 * Does a request of that method, done twice, do what it does once?
 */
static bool
is_idempotent(const char *method)
{
	return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

/*
 * Is that a status that another attempt might not get?
 */
static bool
might_pass(int status)
{
	return status == 408 || status == 425 || status == 429 ||
		   (status >= 500 && status != 501);
}

/*
 * The error that a status is.
 */
static ErrorData *
status_error(SyncHttpTransfer *transfer)
{
	ErrorData *error = palloc0(sizeof(ErrorData));

	error->sqlerrcode = SYNC_ERRCODE_HTTP_STATUS;
	error->message = psprintf("\"%s\" answered with status %d",
							  sync_http_shown(transfer),
							  sync_http_status(transfer));
	error->hint = pstrdup("The answer is in sync_answers.");
	return error;
}
