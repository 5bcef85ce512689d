/*-------------------------------------------------------------------------
 *
 * provider_token_shared.c
 *	  Tokens that the fetches of this process share: the last one for each
 *	  credential, and the call for one that is under way.
 *
 * Who needs a token while another fetch has asked for one waits for that.  The
 * other takes its reply with its next step, and may take none: it is waited for a
 * while, and then no more.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "provider/provider_token.h"

#define CALL_POLL_MS   20
#define CALL_POLLS_MAX 50 /* once its fetch has to take a step */

/* What this process knows of a credential; lives in TopMemoryContext */
typedef struct KnownToken
{
	bool has_tenant;
	int64 tenant;
	char *provider;
	char *origin;	   /* of the credential that the token was given for */
	char *token;	   /* JSON; NULL: none */
	bool stale;		   /* the provider refused it */
	SyncFetch *asking; /* its call is under way; NULL: none is */
} KnownToken;

/* KnownToken; written by find_or_add */
static List *known_tokens = NIL;

static KnownToken *find_known(SyncCredential *credential);
static KnownToken *find_or_add(SyncCredential *credential);
static void end_call(void *fetch);

/*
 * The last token of a credential, as JSON, valid until the next one; NULL where
 * there is none that it could have.
 */
const char *
sync_provider_token_known(SyncCredential *credential)
{
	KnownToken *known = find_known(credential);

	return known && known->token && !known->stale &&
				   strcmp(known->origin, credential->origin) == 0
			   ? known->token
			   : NULL;
}

/*
 * Let the other fetches of this process have a token.
 */
void
sync_provider_token_remember(SyncCredential *credential, const char *token)
{
	KnownToken *known = find_or_add(credential);
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	if (known->token)
	{
		pfree(known->origin);
		pfree(known->token);
	}
	known->origin = pstrdup(credential->origin);
	known->token = pstrdup(token);
	known->stale = false;
	MemoryContextSwitchTo(caller);
}

/*
 * The provider refused a token: nobody takes it any more, unless a newer one is
 * known by now.
 */
void
sync_provider_token_refused(SyncCredential *credential, const char *token)
{
	KnownToken *known = find_known(credential);

	if (known && known->token && strcmp(known->token, token) == 0)
		known->stale = true;
}

/*
 * The call of a fetch is under way, until its memory goes.
 */
void
sync_provider_token_under_way(SyncFetch *fetch)
{
	KnownToken *known = find_or_add(fetch->credential);
	MemoryContextCallback *callback =
		MemoryContextAlloc(fetch->token_context, sizeof(MemoryContextCallback));

	callback->func = end_call;
	callback->arg = fetch;
	MemoryContextRegisterResetCallback(fetch->token_context, callback);
	known->asking = fetch;
}

/*
 * How many milliseconds a fetch has to wait for the call of another one; 0: it
 * makes its own.
 */
int64
sync_provider_token_wait(SyncFetch *fetch)
{
	KnownToken *known = find_known(fetch->credential);
	SyncFetch *asking = known ? known->asking : NULL;

	if (asking == NULL || asking == fetch || asking->token_transfer == NULL ||
		strcmp(asking->credential->origin, fetch->credential->origin) != 0)
	{
		fetch->token_polls = 0;
		return 0;
	}
	switch (sync_http_state(asking->token_transfer))
	{
		case SYNC_HTTP_DONE:
		case SYNC_HTTP_REDIRECTED:
			return fetch->token_polls++ < CALL_POLLS_MAX ? CALL_POLL_MS : 0;
		default:
			fetch->token_polls = 0;
			return CALL_POLL_MS;
	}
}

/*
 * What this process knows of a credential, NULL where that is nothing.
 */
static KnownToken *
find_known(SyncCredential *credential)
{
	ListCell *cell;

	foreach(cell, known_tokens)
	{
		KnownToken *known = lfirst(cell);

		if (known->has_tenant == credential->has_tenant &&
			known->tenant == credential->tenant &&
			strcmp(known->provider, credential->provider) == 0)
			return known;
	}
	return NULL;
}

/*
 * The same, with room for something to be known.
 */
static KnownToken *
find_or_add(SyncCredential *credential)
{
	KnownToken *known = find_known(credential);
	MemoryContext caller;

	if (known)
		return known;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	known = palloc0(sizeof(KnownToken));
	known->has_tenant = credential->has_tenant;
	known->tenant = credential->tenant;
	known->provider = pstrdup(credential->provider);
	known_tokens = lappend(known_tokens, known);
	MemoryContextSwitchTo(caller);
	return known;
}

/*
 * The call of a fetch is done with; raises nothing.
 */
static void
end_call(void *fetch)
{
	ListCell *cell;

	foreach(cell, known_tokens)
	{
		KnownToken *known = lfirst(cell);

		if (known->asking == fetch)
			known->asking = NULL;
	}
}
