/*-------------------------------------------------------------------------
 *
 * provider_limit.c
 *	  What a provider allows one credential: how many requests at once, how soon
 *	  after each other, and how many in a while.
 *
 * How many at once holds for all sessions of the database, by advisory locks:
 * as many as there are places.  The times between requests hold for one process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "provider/provider_fetch.h"

/* The limits of one credential, as they are used; lives in TopMemoryContext */
typedef struct Allowance
{
	char *key;
	TimestampTz not_before; /* as a provider said that it is enough */
	TimestampTz last;
	TimestampTz *times; /* of the last requests, in a ring */
	int capacity;
	int count;
	int next;
} Allowance;

/* Allowance; written by find_allowance */
static List *allowances = NIL;

static Allowance *find_allowance(SyncFetch *fetch);
static void set_capacity(Allowance *allowance, int capacity);

/*
 * How many milliseconds the next request of a fetch has to wait.  0: it may go
 * now, and is counted.
 */
int64
sync_provider_limit_wait(SyncFetch *fetch)
{
	JsonbValue *limits = fetch->endpoint->provider->limits;
	Allowance *allowance = find_allowance(fetch);
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
 * Leave a provider alone for a while, with this credential.
 */
void
sync_provider_limit_pause(SyncFetch *fetch, int64 ms)
{
	Allowance *allowance = find_allowance(fetch);

	allowance->not_before =
		Max(allowance->not_before, GetCurrentTimestamp() + ms * 1000);
}

/*
 * What is known of a fetch's credential.
 */
static Allowance *
find_allowance(SyncFetch *fetch)
{
	SyncCredential *credential = fetch->credential;
	char *key = credential->has_tenant
					? psprintf("%s/" INT64_FORMAT,
							   credential->provider,
							   credential->tenant)
					: pstrdup(credential->provider);
	Allowance *allowance;
	MemoryContext caller;
	ListCell *cell;

	foreach(cell, allowances)
	{
		allowance = lfirst(cell);
		if (strcmp(allowance->key, key) == 0)
			return allowance;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	allowance = palloc0(sizeof(Allowance));
	allowance->key = pstrdup(key);
	allowances = lappend(allowances, allowance);
	MemoryContextSwitchTo(caller);
	return allowance;
}

/*
 * Let the ring have that many places; the latest times stay in it.
 */
static void
set_capacity(Allowance *allowance, int capacity)
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
