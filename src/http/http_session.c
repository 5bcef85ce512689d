/*-------------------------------------------------------------------------
 *
 * http_session.c
 *	  The transfers of this process: one multi handle, driven from the latch.
 *
 * libcurl says which sockets it waits for; they lie in an epoll descriptor,
 * which is waited for beside the latch.  So a cancel ends a wait at once, however
 * many transfers there are.  Connections stay open for the next request.
 *
 * Not more than sync_ext.http_concurrency transfers run at once, since each
 * needs descriptors; the others wait their turn in our own list, so that their
 * time limits do not begin before they do.
 *
 * While libcurl works, signals are blocked: it starts threads to look up names,
 * and those must not run this process's signal handlers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "http/http_internal.h"
#include "kit/kit_compat.h"
#include "kit/kit_settings.h"

#define EVENTS_AT_ONCE 64

/* The session, once there is one; all of it belongs to this process */
static CURLM *multi = NULL;
static int epoll_fd = -1;
static WaitEventSet *wait_set = NULL;
static TimestampTz timer_due = DT_NOEND; /* when libcurl wants to be called */

/* SyncHttpTransfer; written by sync_http_session_add, _remove, _follow and start_next */
static dlist_head waiting = DLIST_STATIC_INIT(waiting);
static int running = 0;

static void open_session(void);
static void start_next(void);
static void drive(bool sockets);
static void take_finished(void);
static long milliseconds_until(TimestampTz due);
static int watch_socket(CURL *easy,
						curl_socket_t socket,
						int what,
						void *arg,
						void *known);
static int set_timer(CURLM *handle, long timeout_ms, void *arg);

/*
 * Let all transfers of this process go on, until something came or went or
 * that many milliseconds have passed (-1: no limit).  The latch ends it too;
 * returns whether it did.  Raises on an interrupt.
 */
bool
sync_http_wait(long timeout_ms)
{
	static uint32 wait_event = 0;
	WaitEvent event;
	bool latched;
	long timer_ms;
	int nevents;

	open_session();
	if (wait_event == 0)
		wait_event = sync_compat_wait_event("SyncHttp");
	CHECK_FOR_INTERRUPTS();
	start_next();

	timer_ms = milliseconds_until(timer_due);
	if (timer_ms >= 0 && (timeout_ms < 0 || timer_ms < timeout_ms))
		timeout_ms = timer_ms;
	nevents = WaitEventSetWait(wait_set, timeout_ms, &event, 1, wait_event);
	latched = nevents > 0 && (event.events & WL_LATCH_SET);
	if (latched)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	drive(nevents > 0 && (event.events & WL_SOCKET_READABLE));
	return latched;
}

/*
 * Let a transfer go where it was redirected to.  Its time limit does not count for
 * how long it waited for that.
 */
void
sync_http_follow(SyncHttpTransfer *transfer)
{
	transfer->deadline += GetCurrentTimestamp() - transfer->redirected_at;
	transfer->state = SYNC_HTTP_WAITING;
	dlist_push_head(&waiting, &transfer->node);
}

/*
 * Take a transfer up; it begins when it is waited for.
 */
void
sync_http_session_add(SyncHttpTransfer *transfer)
{
	open_session();
	transfer->state = SYNC_HTTP_WAITING;
	dlist_push_tail(&waiting, &transfer->node);
}

/*
 * Forget a transfer, whatever its state.  Raises nothing.
 */
void
sync_http_session_remove(SyncHttpTransfer *transfer)
{
	if (transfer->state == SYNC_HTTP_WAITING)
		dlist_delete(&transfer->node);
	else if (transfer->state == SYNC_HTTP_RUNNING)
	{
		curl_multi_remove_handle(multi, transfer->easy);
		running--;
	}
	transfer->state = SYNC_HTTP_DONE;
}

/*
 * Let a streamed transfer go on whose bytes have been taken.
 */
void
sync_http_session_resume(SyncHttpTransfer *transfer)
{
	transfer->paused = false;
	curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

/*
 * Make the session, unless there is one.
 */
static void
open_session(void)
{
	if (wait_set)
		return;
	if (multi == NULL)
	{
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
			(multi = curl_multi_init()) == NULL)
			ereport(ERROR,
					errcode(ERRCODE_OUT_OF_MEMORY),
					errmsg("out of memory"),
					errdetail("Setting up libcurl."));
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	}
	if (epoll_fd < 0)
	{
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_fd < 0)
			ereport(ERROR,
					errcode_for_socket_access(),
					errmsg("could not create an epoll descriptor: %m"));
		ReserveExternalFD();
	}
	wait_set = sync_compat_create_wait_set(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set,
					  WL_EXIT_ON_PM_DEATH,
					  PGINVALID_SOCKET,
					  NULL,
					  NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, epoll_fd, NULL, NULL);
}

/*
 * Start the transfers whose turn it is.
 */
static void
start_next(void)
{
	/* a new setting is heeded at once */
	curl_multi_setopt(multi,
					  CURLMOPT_MAXCONNECTS,
					  (long) sync_guc_http_concurrency);
	while (running < sync_guc_http_concurrency && !dlist_is_empty(&waiting))
	{
		SyncHttpTransfer *transfer =
			dlist_container(SyncHttpTransfer,
							node,
							dlist_pop_head_node(&waiting));

		MemoryContext caller =
			MemoryContextSwitchTo(GetMemoryChunkContext(transfer));

		/* not in a list, whatever happens */
		transfer->state = SYNC_HTTP_DONE;
		sync_http_prepare(transfer);
		MemoryContextSwitchTo(caller);
		if (curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
			ereport(ERROR,
					errcode(ERRCODE_OUT_OF_MEMORY),
					errmsg("out of memory"),
					errdetail("A request to \"%s\" could not be started.",
							  transfer->shown));
		transfer->state = SYNC_HTTP_RUNNING;
		running++;
	}
}

/*
 * Let libcurl do what there is to do: with the sockets on which something
 * happened, and where its timer ran out.
 */
static void
drive(bool sockets)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int nevents = 0;
	int still_running;
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (sockets)
		nevents = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 0);
	for (int i = 0; i < nevents; i++)
	{
		int happened = 0;

		if (events[i].events & EPOLLIN)
			happened |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			happened |= CURL_CSELECT_OUT;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			happened |= CURL_CSELECT_ERR;
		curl_multi_socket_action(multi,
								 events[i].data.fd,
								 happened,
								 &still_running);
	}
	if (milliseconds_until(timer_due) == 0)
	{
		timer_due = DT_NOEND;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &still_running);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	take_finished();
}

/*
 * Note what ended.  Where it is a redirect that may be followed, the transfer
 * begins again, or waits until it is told to.
 */
static void
take_finished(void)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		SyncHttpTransfer *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer->result = message->data.result;
		sync_http_session_remove(transfer);
		if (!sync_http_redirect(transfer))
			continue;
		transfer->redirected_at = GetCurrentTimestamp();
		if (transfer->request->led)
			transfer->state = SYNC_HTTP_REDIRECTED;
		else
			sync_http_follow(transfer);
	}
}

/*
 * Milliseconds until a time, 0 where it has come, -1 where it never will.
 */
static long
milliseconds_until(TimestampTz due)
{
	TimestampTz now;

	if (due == DT_NOEND)
		return -1;
	now = GetCurrentTimestamp();
	return due <= now ? 0 : (due - now + 999) / 1000;
}

/*
 * Wait for a socket, or not any more; a callback of libcurl.
 */
static int
watch_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *known)
{
	struct epoll_event event = {.data.fd = socket};

	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, socket, &event);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	/* a socket that libcurl closed in silence left the set by itself */
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, socket, &event) != 0)
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, socket, &event);
	return 0;
}

/*
 * Note when libcurl wants to be called; a callback of it.
 */
static int
set_timer(CURLM *handle, long timeout_ms, void *arg)
{
	timer_due = timeout_ms < 0
					? DT_NOEND
					: GetCurrentTimestamp() + timeout_ms * INT64CONST(1000);
	return 0;
}
