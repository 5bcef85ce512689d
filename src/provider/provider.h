/*-------------------------------------------------------------------------
 *
 * provider.h
 *	  Web APIs as rows say they are: definitions, credentials and fetches.
 *
 * A definition is loaded and compiled (provider_definition.c) after it was
 * checked when it was stored (provider_check.c).  A fetch (provider_fetch.c)
 * takes steps and never waits by itself: whoever drives it waits, and may drive
 * many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_H
#define PROVIDER_H

#include "http/http.h"
#include "provider/provider_definition.h"

/* Counts of a fetch */
typedef struct SyncFetchCounts
{
	int64 requests;
	int64 pages;
	int64 records;
	int64 bytes;
	int64 retries;
	int64 waited_ms; /* between tries and for limits */
} SyncFetchCounts;

typedef struct SyncFetch SyncFetch;

/* What a step of a fetch came to */
typedef enum SyncFetchStep
{
	SYNC_FETCH_RECORD,
	SYNC_FETCH_WAIT,
	SYNC_FETCH_END,
} SyncFetchStep;

struct HeapTupleData;
struct TriggerData;

/* in provider_check.c */
extern struct HeapTupleData *sync_provider_check_row(struct TriggerData *trigger);

/* in provider_open.c */
extern SyncFetch *sync_provider_open(const char *endpoint,
									 JsonbValue *params,
									 const int64 *tenant,
									 const char *since);
extern void sync_provider_check_params(SyncEndpoint *endpoint,
									   JsonbValue *given);

/* in provider_fetch.c */
extern SyncFetchStep sync_provider_step(SyncFetch *fetch,
										Jsonb **record,
										int64 *wait_ms);
extern Jsonb *sync_provider_next(SyncFetch *fetch);
extern bool sync_provider_advance(SyncFetch *fetch);
extern const SyncFetchCounts *sync_provider_counts(SyncFetch *fetch);
extern void sync_provider_stop(SyncFetch *fetch);
extern void sync_provider_close(SyncFetch *fetch);

/* in provider_value.c */
extern bool sync_provider_gives(SyncEndpoint *endpoint, const char *name);
extern void sync_provider_want(SyncFetch *fetch, List *names);
extern JsonbValue *sync_provider_value(SyncFetch *fetch, int i);
extern Jsonb *sync_provider_record(SyncFetch *fetch);
extern int64 sync_provider_page(SyncFetch *fetch);
extern int64 sync_provider_place(SyncFetch *fetch);

#endif /* PROVIDER_H */
