/*-------------------------------------------------------------------------
 *
 * provider_limit.c
 *	  What a provider allows one credential: how many requests at once, how soon
 *	  after each other, and how many in a while.
 *
 * How many at once holds for all sessions of the database: each place is a lock,
 * held from when a request is sent to when its answer is there.  The times of
 * requests, and how long a provider wants to be left alone, are shared by all
 * processes where the library was preloaded (shmem_paces.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_error.h"
#include "kit/kit_settings.h"
#include "provider/provider_count.h"
#include "provider/provider_limit.h"

#define PLACES_MAX	  64
#define PLACE_POLL_MS 20
#define WAIT_MAX_MS	  60000 /* where the definition does not say */
#define PAUSE_MAX_MS  (24 * 60 * 60 * INT64CONST(1000))
#define LOCK_SUBID	  3 /* those of users' advisory locks are 1 and 2 */

static int64 take_turn(SyncFetch *fetch, MemoryContext request);
static SyncPace pace_of(SyncFetch *fetch);
static int64 key_of(SyncFetch *fetch);
static bool take_place(SyncFetch *fetch, int64 key);
static LOCKTAG place_tag(int64 key, int place);
static void count_sent(void *arg);
static int64 limit_ms(SyncFetch *fetch);

/*
 * How many milliseconds the next request of a fetch has to wait, be it one for a
 * token.  0: it may go now, and is counted.  That is ended with the memory of the
 * request, "request", at the latest.
 */
int64
sync_provider_limit_wait(SyncFetch *fetch, MemoryContext request)
{
	int64 wait_ms = take_turn(fetch, request);

	sync_provider_count_hold(fetch, wait_ms);
	return wait_ms;
}

/*
 * Start a request of a fetch that was counted, in the current memory context.
 */
SyncHttpTransfer *
sync_provider_limit_start(SyncFetch *fetch, SyncHttpRequest *request)
{
	SyncHttpTransfer *transfer;

	request->on_send = count_sent;
	request->on_send_arg = fetch;
	request->led = true;
	transfer = sync_http_start(request);
	fetch->counts.requests++;
	return transfer;
}

/*
 * Let a transfer of a fetch go where it was redirected to, if it was: that is a
 * request like others.  Returns how many milliseconds it has to wait, in the place
 * that it has.
 */
int64
sync_provider_limit_follow(SyncFetch *fetch, SyncHttpTransfer *transfer)
{
	SyncPace pace = pace_of(fetch);
	int64 wait_ms;

	if (sync_http_state(transfer) != SYNC_HTTP_REDIRECTED)
		return 0;
	sync_shmem_paces_done(&fetch->ticket);
	wait_ms = sync_shmem_paces_take(MyDatabaseId,
									&pace,
									limit_ms(fetch),
									&fetch->ticket);
	sync_provider_count_hold(fetch, wait_ms);
	if (wait_ms > 0)
		return wait_ms;
	sync_http_follow(transfer);
	fetch->counts.requests++;
	return 0;
}

/*
 * Give back the place that a request of a fetch had, if it has one; it is not on
 * its way any more.  Raises nothing.
 */
void
sync_provider_limit_release(void *arg)
{
	SyncFetch *fetch = arg;
	LOCKTAG tag;

	sync_shmem_paces_done(&fetch->ticket);
	if (!fetch->has_place)
		return;
	tag = place_tag(key_of(fetch), fetch->place);
	LockRelease(&tag, ExclusiveLock, true);
	fetch->has_place = false;
}

/*
 * Leave a provider alone for a while, with this credential; for no longer than a
 * day, whatever it says.
 */
void
sync_provider_limit_pause(SyncFetch *fetch, int64 ms)
{
	sync_shmem_paces_pause(MyDatabaseId, key_of(fetch), Min(ms, PAUSE_MAX_MS));
}

/*
 * The provider says when it may be asked again: for whoever tries that later, but
 * not later than a day.
 */
void
sync_provider_limit_foresee(SyncFetch *fetch, int64 ms)
{
	fetch->prospect.retry_at =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									Min(ms, PAUSE_MAX_MS));
}

/*
 * Raise where the provider wants to be left alone for longer than a request
 * waits.
 */
void
sync_provider_limit_check(SyncFetch *fetch)
{
	TimestampTz since;
	TimestampTz until;
	int64 left_ms;

	if (!sync_shmem_paces_paused(MyDatabaseId, key_of(fetch), &since, &until))
		return;
	left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
	if (left_ms <= sync_provider_limit_most_ms(fetch))
		return;
	fetch->prospect.retry_at = until;
	ereport(ERROR,
			errcode(SYNC_ERRCODE_HTTP_STATUS),
			errmsg("provider \"%s\" wants to be left alone",
				   fetch->endpoint->provider->name),
			errdetail("It said so to a request with the same credential, for another %g seconds.",
					  left_ms / 1000.0));
}

/*
 * How long a request waits at most for a provider that wants to be left alone.
 */
int64
sync_provider_limit_most_ms(SyncFetch *fetch)
{
	return sync_kit_json_integer(fetch->endpoint->provider->retry,
								 "max_wait_ms",
								 WAIT_MAX_MS);
}

/*
 * What a provider and a tenant are known by where limits are kept.
 */
int64
sync_provider_limit_key(const char *provider, const int64 *tenant)
{
	uint64 seed = tenant ? hash_bytes_extended((const unsigned char *) tenant,
											   sizeof(*tenant),
											   1)
						 : 0;

	return (int64) hash_bytes_extended((const unsigned char *) provider,
									   strlen(provider),
									   seed);
}

/*
 * Take a request of a fetch among those that may go now, and count it, or say how
 * many milliseconds it has to wait.
 */
static int64
take_turn(SyncFetch *fetch, MemoryContext request)
{
	SyncPace pace = pace_of(fetch);
	int64 wait_ms = sync_shmem_paces_wait(MyDatabaseId, &pace);
	MemoryContextCallback *callback;

	if (wait_ms > 0)
		return wait_ms;
	callback = MemoryContextAlloc(request, sizeof(MemoryContextCallback));
	callback->func = sync_provider_limit_release;
	callback->arg = fetch;
	MemoryContextRegisterResetCallback(request, callback);
	if (!take_place(fetch, pace.key))
		return PLACE_POLL_MS;
	wait_ms = sync_shmem_paces_take(MyDatabaseId,
									&pace,
									limit_ms(fetch),
									&fetch->ticket);
	if (wait_ms > 0)
		sync_provider_limit_release(fetch);
	return wait_ms;
}

/*
 * How fast requests of a fetch may follow each other.
 */
static SyncPace
pace_of(SyncFetch *fetch)
{
	JsonbValue *limits = fetch->endpoint->provider->limits;
	SyncPace pace = {
		.key = key_of(fetch),
		.requests = (int) sync_kit_json_integer(limits, "requests", 0),
		.window_ms = sync_kit_json_integer(limits, "window_ms", 0),
		.interval_ms = sync_kit_json_integer(limits, "interval_ms", 0),
	};

	return pace;
}

/*
 * What the credential of a fetch is known by.
 */
static int64
key_of(SyncFetch *fetch)
{
	SyncCredential *credential = fetch->credential;

	return sync_provider_limit_key(credential->provider,
								   credential->has_tenant ? &credential->tenant
														  : NULL);
}

/*
 * Take a place for a request, if there is one free or no limit.
 */
static bool
take_place(SyncFetch *fetch, int64 key)
{
	int64 places = sync_kit_json_integer(fetch->endpoint->provider->limits,
										 "concurrency",
										 0);

	if (places == 0 || places > PLACES_MAX)
		return true;
	/* a stream of parents goes on while their children are asked for */
	for (SyncFetch *parent = fetch->parent; parent; parent = parent->parent)
		if (parent->has_place)
			return true;
	for (int place = 0; place < places; place++)
	{
		LOCKTAG tag = place_tag(key, place);

		switch (LockAcquire(&tag, ExclusiveLock, true, true))
		{
			case LOCKACQUIRE_OK:
				fetch->has_place = true;
				fetch->place = place;
				return true;
			case LOCKACQUIRE_NOT_AVAIL:
				break;
			default:
				/* another fetch of this process has it */
				LockRelease(&tag, ExclusiveLock, true);
		}
	}
	return false;
}

/*
 * The lock that stands for a place.
 */
static LOCKTAG
place_tag(int64 key, int place)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) key, place, LOCK_SUBID);
	return tag;
}

/*
 * The request of a fetch is sent now; on_send of SyncHttpRequest.
 */
static void
count_sent(void *arg)
{
	SyncFetch *fetch = arg;

	sync_shmem_paces_sent(&fetch->ticket);
}

/*
 * How long it may take at most until a request is sent.
 */
static int64
limit_ms(SyncFetch *fetch)
{
	int total = fetch->endpoint->timeout_ms;

	return (int64) (total > 0 ? total : sync_guc_http_timeout_ms) +
		   sync_guc_http_connect_timeout_ms;
}
