/*-------------------------------------------------------------------------
 *
 * provider_limit.c
 *	  What a provider allows one credential: how many requests at once, how soon
 *	  after each other, and how many in a while.
 *
 * How many at once holds for all sessions of the database: each place is a lock,
 * held from when a request is sent to when its answer is there.  The times
 * between requests hold for one process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "provider/provider_fetch.h"

#define PLACES_MAX	  64
#define PLACE_POLL_MS 20
#define LOCK_SUBID	  3 /* those of users' advisory locks are 1 and 2 */

/* The limits of one credential, as they are used; lives in TopMemoryContext */
typedef struct SyncAllowance
{
	char *key;
	TimestampTz not_before; /* as a provider said that it is enough */
	TimestampTz last;
	TimestampTz *times; /* of the last requests, in a ring */
	int capacity;
	int count;
	int next;
	bool places[PLACES_MAX]; /* that this process holds */
} SyncAllowance;

/* SyncAllowance; written by find_allowance */
static List *allowances = NIL;

static SyncAllowance *find_allowance(SyncFetch *fetch);
static void set_capacity(SyncAllowance *allowance, int capacity);
static bool take_place(SyncFetch *fetch, SyncAllowance *allowance);
static LOCKTAG place_tag(SyncAllowance *allowance, int place);

/*
 * How many milliseconds the next request of a fetch has to wait.  0: it may go
 * now, and is counted.
 */
int64
sync_provider_limit_wait(SyncFetch *fetch)
{
	JsonbValue *limits = fetch->endpoint->provider->limits;
	SyncAllowance *allowance = find_allowance(fetch);
	int64 interval_ms = sync_kit_json_integer(limits, "interval_ms", 0);
	int requests = (int) sync_kit_json_integer(limits, "requests", 0);
	int64 window_ms = sync_kit_json_integer(limits, "window_ms", 0);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due = allowance->not_before;

	set_capacity(allowance, requests);
	if (allowance->last && interval_ms)
		due = Max(due, allowance->last + interval_ms * 1000);
	if (requests && allowance->count == requests)
		due =
			Max(due, allowance->times[allowance->next] + window_ms * 1000 + 1);
	if (due > now)
		return (due - now + 999) / 1000;
	if (!take_place(fetch, allowance))
		return PLACE_POLL_MS;

	allowance->last = now;
	if (requests)
	{
		allowance->times[allowance->next] = now;
		allowance->next = (allowance->next + 1) % requests;
		allowance->count = Min(allowance->count + 1, requests);
	}
	return 0;
}

/*
 * Give back the place that a request of a fetch had, if it has one.  Raises
 * nothing.
 */
void
sync_provider_limit_release(void *arg)
{
	SyncFetch *fetch = arg;
	SyncAllowance *allowance = fetch->allowance;
	LOCKTAG tag;

	if (allowance == NULL)
		return;
	tag = place_tag(allowance, fetch->place);
	LockRelease(&tag, ExclusiveLock, true);
	allowance->places[fetch->place] = false;
	fetch->allowance = NULL;
}

/*
 * Leave a provider alone for a while, with this credential.
 */
void
sync_provider_limit_pause(SyncFetch *fetch, int64 ms)
{
	SyncAllowance *allowance = find_allowance(fetch);

	allowance->not_before =
		Max(allowance->not_before, GetCurrentTimestamp() + ms * 1000);
}

/*
 * What is known of a fetch's credential.
 */
static SyncAllowance *
find_allowance(SyncFetch *fetch)
{
	SyncCredential *credential = fetch->credential;
	char *key = credential->has_tenant
					? psprintf("%s/" INT64_FORMAT,
							   credential->provider,
							   credential->tenant)
					: pstrdup(credential->provider);
	SyncAllowance *allowance;
	MemoryContext caller;
	ListCell *cell;

	foreach(cell, allowances)
	{
		allowance = lfirst(cell);
		if (strcmp(allowance->key, key) == 0)
			return allowance;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	allowance = palloc0(sizeof(SyncAllowance));
	allowance->key = pstrdup(key);
	allowances = lappend(allowances, allowance);
	MemoryContextSwitchTo(caller);
	return allowance;
}

/*
 * Let the ring have that many places; the latest times stay in it.
 */
static void
set_capacity(SyncAllowance *allowance, int capacity)
{
	TimestampTz *times;
	int keep = Min(allowance->count, capacity);

	if (capacity == allowance->capacity)
		return;
	times = MemoryContextAllocZero(TopMemoryContext,
								   Max(capacity, 1) * sizeof(TimestampTz));
	for (int i = 0; i < keep; i++)
		times[i] =
			allowance->times[(allowance->next - keep + i + allowance->capacity) %
							 allowance->capacity];
	if (allowance->times)
		pfree(allowance->times);
	allowance->times = times;
	allowance->capacity = capacity;
	allowance->count = keep;
	allowance->next = capacity ? keep % capacity : 0;
}

/*
 * Take a place for a request, if there is one free or no limit.  It is given
 * back with the memory of the request at the latest.
 */
static bool
take_place(SyncFetch *fetch, SyncAllowance *allowance)
{
	int64 places = sync_kit_json_integer(fetch->endpoint->provider->limits,
										 "concurrency",
										 0);

	if (places == 0 || places > PLACES_MAX)
		return true;
	/* a stream of parents goes on while their children are asked for */
	for (SyncFetch *parent = fetch->parent; parent; parent = parent->parent)
		if (parent->allowance)
			return true;
	for (int place = 0; place < places; place++)
	{
		LOCKTAG tag = place_tag(allowance, place);
		MemoryContextCallback *callback;

		/* a lock that a process holds it would be given again */
		if (allowance->places[place] ||
			LockAcquire(&tag, ExclusiveLock, true, true) ==
				LOCKACQUIRE_NOT_AVAIL)
			continue;
		allowance->places[place] = true;
		fetch->allowance = allowance;
		fetch->place = place;
		callback =
			MemoryContextAlloc(fetch->sent, sizeof(MemoryContextCallback));
		callback->func = sync_provider_limit_release;
		callback->arg = fetch;
		MemoryContextRegisterResetCallback(fetch->sent, callback);
		return true;
	}
	return false;
}

/*
 * The lock that stands for a place.
 */
static LOCKTAG
place_tag(SyncAllowance *allowance, int place)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag,
						 MyDatabaseId,
						 hash_bytes((const unsigned char *) allowance->key,
									strlen(allowance->key)),
						 place,
						 LOCK_SUBID);
	return tag;
}
