/*-------------------------------------------------------------------------
 *
 * provider_fetch.h
 *	  A fetch under way, for the files that take its steps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVIDER_FETCH_H
#define PROVIDER_FETCH_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "provider/provider_page.h"
#include "provider/provider_pull.h"
#include "provider/provider_secret.h"
#include "shmem/shmem_paces.h"

/* hexadecimal digits, and the end */
#define SYNC_MEND_WORD_SIZE 33

struct SyncFetch
{
	SyncEndpoint *endpoint;
	SyncCredential *credential;
	SyncScope scope;
	MemoryContext context; /* of the fetch */
	MemoryContext scratch; /* of a step; reset with the next */
	MemoryContext sent;	   /* of a request; reset with the next */
	MemoryContext page;	   /* of a page or a line; likewise */
	MemoryContext record;  /* of a record; likewise */

	/* for whom it asks */
	bool begun;
	SyncFetch *parent; /* NULL: it has none that is fetched */
	List *parents;	   /* of a query, JsonbValue */
	int parent_at;
	bool parents_end;
	List *collected;			  /* texts of parents, until there are enough */
	MemoryContext parent_context; /* of the parent at hand */
	List *constants;			  /* of "each", texts; NIL: there are none */
	int constant_at;
	/* how far it was read */
	bool keeps_marks;
	bool by_parent;		/* each has a mark */
	struct HTAB *marks; /* NULL: none yet */
	struct MarkEntry *mark;
	SyncColumn *mark_column; /* of a record; NULL: none */
	TimestampTz opened_at;
	/* what is known of answers */
	bool keeps_validators;
	bool whole;			  /* see sync_provider_set_validators */
	bool unconditional;	  /* all is asked for as if nothing were known */
	struct HTAB *known;	  /* NULL: nothing is */
	SyncValidator *asked; /* with this request; NULL: none */
	char request_hash[SYNC_REQUEST_HASH_SIZE]; /* of this request */
	List *validators;			 /* SyncValidator, of answers that came */
	int64 unchanged;			 /* pages that are as they were */
	struct SyncKeeping *keeping; /* NULL: pages are not kept */
	bool reads_ahead;			 /* see sync_provider_read_ahead */

	/* what it asks */
	SyncPager pager;
	SyncHttpRequest *request; /* NULL: none is at hand */
	SyncHttpTransfer *transfer;
	int tries;				/* of this request that did not work */
	bool authenticated;		/* this request got a new token already */
	TimestampTz not_before; /* it waits until then */
	SyncPaceTicket ticket;	/* it was counted */
	bool has_place;			/* among those that may be under way at once */
	int place;

	/* the call for a token */
	SyncHttpRequest *token_request;
	SyncHttpTransfer *token_transfer;
	MemoryContext token_context;
	int token_tries;	/* that did not work */
	int token_polls;	/* of the call of another fetch that has its reply */
	bool token_refused; /* the one at hand */
	bool refreshing;
	bool refresh_failed;
	bool between;	  /* steps are taken between transactions */
	bool token_new;	  /* it is to be stored */
	bool token_asked; /* the one that is stored is to be looked at */

	/* what it pushes; see provider_push.c */
	List *items;		   /* SyncItem; NIL: none are at hand */
	MemoryContext pushing; /* they live here, and what is learned of them */
	bool preview;		   /* only composed, by nobody */

	/* what came */
	List *records; /* of the page, JsonbValue */
	int record_at;
	JsonbValue *found;	   /* the record at hand */
	List *wanted;		   /* SyncColumn, see sync_provider_want */
	struct SyncScan *scan; /* NULL: pages are not read by it */
	bool scanned;		   /* this one was */
	int64 handed_out;	   /* records of this request */
	/* what of it cannot be read; see provider_bad.h */
	bool tolerates;			 /* it is no error of the fetch */
	bool puts_aside;		 /* nor of whoever takes the records */
	struct SyncMends *mends; /* of what was parsed last; NULL: none */
	char mend_word[SYNC_MEND_WORD_SIZE];
	List *bad;						 /* SyncBadRecord, of the page, by place */
	int bad_at;						 /* those before were handed out */
	struct SyncBadRecord *bad_found; /* the record at hand; NULL: it is none */
	bool streaming;					 /* they come line by line */
	bool ended;
	SyncProspect prospect; /* where it has raised */
	SyncFetchCounts counts;
	SyncFetchCounts told;	/* of these, to all who look */
	TimestampTz held_since; /* by limits and pauses; 0: it is not */
};

/* Parameters of a URL that is being put together */
typedef struct SyncUrl
{
	StringInfoData text;
	bool has_query;
} SyncUrl;

/* in provider_request.c */
extern SyncHttpRequest *sync_provider_compose(SyncFetch *fetch);
extern void sync_provider_url_add(SyncUrl *url,
								  const char *name,
								  const char *value);
extern char *sync_provider_form(JsonbValue *fields,
								const SyncScope *scope,
								List **secrets);
extern void sync_provider_add_header(List **headers,
									 const char *name,
									 const char *value);

/* in provider_auth.c */
extern void sync_provider_authenticate(SyncFetch *fetch,
									   SyncUrl *url,
									   SyncHttpRequest *request);
extern char *sync_provider_basic(SyncFetch *fetch,
								 JsonbValue *basic,
								 List **secrets);
extern char *sync_provider_expand_secret(SyncFetch *fetch,
										 const char *text,
										 List **secrets);
extern List *sync_provider_secrets(SyncFetch *fetch);

/* in provider_parent.c */
extern SyncFetchStep sync_provider_next_subject(SyncFetch *fetch,
												int64 *wait_ms);

#endif /* PROVIDER_FETCH_H */
