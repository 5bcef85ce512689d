/*-------------------------------------------------------------------------
 *
 * provider.h
 *	  Web APIs as rows say they are: definitions, credentials and fetches.
 *
 * Rows are pushed (provider_push.c) by requests of the same machine, some rows
 * each, and each row learns what became of it.
 *
 * A definition is loaded and compiled (provider_definition.c) after it was
 * checked when it was stored (provider_check.c).  A fetch (provider_fetch.c)
 * takes steps and never waits by itself: whoever drives it waits, and may drive
 * many.  An error of a step has its prospect (kit_prospect.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_H
#define PROVIDER_H

#include "http/http.h"
#include "kit/kit_prospect.h"
#include "provider/provider_definition.h"

/* How a request can fail; they are counted in this order */
typedef enum SyncFault
{
	SYNC_FAULT_THROTTLED,
	SYNC_FAULT_UNANSWERED,
	SYNC_FAULT_UNAVAILABLE,
	SYNC_FAULT_UNAUTHORIZED,
	SYNC_FAULT_REFUSED,
	SYNC_FAULT_UNUSABLE,
	SYNC_FAULTS
} SyncFault;

/* Counts of a fetch */
typedef struct SyncFetchCounts
{
	int64 requests;
	int64 pages;
	int64 records;
	int64 bytes;
	int64 sent_bytes; /* of bodies */
	int64 retries;
	int64 waited_ms; /* between tries and for limits */
	int64 pushed;	 /* rows */
	int64 pushes;	 /* answers in order to those that push */
	int64 tokens;
	int64 faults[SYNC_FAULTS]; /* answers that were not in order */
	int64 held_us;			   /* by limits and pauses */
	int64 transfer_us;
} SyncFetchCounts;

typedef struct SyncFetch SyncFetch;

/* What became of a row that was to be pushed */
typedef enum SyncItemState
{
	SYNC_ITEM_WAITING, /* nothing was done with it */
	SYNC_ITEM_PUSHED,
	SYNC_ITEM_FAILED,  /* the provider does not take it */
	SYNC_ITEM_UNKNOWN, /* it was sent, and no answer says */
} SyncItemState;

/* A row that is pushed */
typedef struct SyncItem
{
	JsonbValue *row;	/* an object, what templates and columns name */
	JsonbValue *sent;	/* what is sent of it where there are no columns */
	JsonbValue *object; /* what is sent of it; set when it is */
	char *remote_id;	/* NULL: none is known */
	SyncItemState state;
	char *message; /* why it failed, or is unknown; NULL: no reason known */
} SyncItem;

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

/* in provider_definition.c */
extern char *sync_provider_digest(SyncEndpoint *endpoint);

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

/* in provider_token.c */
extern bool sync_provider_token_unsettled(SyncFetch *fetch);
extern void sync_provider_settle_token(SyncFetch *fetch);

/* in provider_value.c */
extern bool sync_provider_gives(SyncEndpoint *endpoint, const char *name);
extern void sync_provider_want(SyncFetch *fetch, List *names, bool whole);
extern JsonbValue *sync_provider_value(SyncFetch *fetch, int i);
extern bool sync_provider_text(SyncFetch *fetch, int i, char **text);
extern Jsonb *sync_provider_record(SyncFetch *fetch);
extern int64 sync_provider_page(SyncFetch *fetch);
extern int64 sync_provider_place(SyncFetch *fetch);

/* in provider_bad.c */
extern void sync_provider_tolerate(SyncFetch *fetch, bool put_aside);
extern ErrorData *sync_provider_fault_of_record(SyncFetch *fetch);
extern ErrorData *sync_provider_tell_fault(SyncFetch *fetch, ErrorData *known);
extern char *sync_provider_raw(SyncFetch *fetch);

/* in provider_push.c */
extern SyncFetch *sync_provider_open_push(const char *endpoint,
										  JsonbValue *params,
										  const int64 *tenant,
										  SyncFetch *other);
extern void sync_provider_set_params(SyncFetch *fetch, JsonbValue *params);
extern int sync_provider_batch_size(SyncFetch *fetch);
extern bool sync_provider_is_repeatable(SyncFetch *fetch);
extern bool sync_provider_has_key(SyncFetch *fetch);
extern void sync_provider_send(SyncFetch *fetch,
							   List *items,
							   const char *idempotency_key);
extern SyncHttpRequest *sync_provider_preview(SyncFetch *fetch,
											  List *items,
											  const char *idempotency_key);

#endif /* PROVIDER_H */
