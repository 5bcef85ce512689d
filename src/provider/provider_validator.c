/*-------------------------------------------------------------------------
 *
 * provider_validator.c
 *	  Answers that are known still: asked for by ETag and Last-Modified.
 *
 * What an answer said of itself is kept with where the next page is, so that a
 * page that is as it was (304) leads on to the next one.  Its records do not come
 * then; whoever takes those that did not come for gone asks for the "whole": all
 * pages are as they were, or all of them come.  Where the first pages are and a
 * later one is not, the fetch begins anew and asks without conditions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "kit/kit_error.h"
#include "kit/kit_hex.h"
#include "provider/provider_known.h"
#include "provider/provider_records.h"

#define VALIDATOR_BYTES_MAX 1024

static char *hash_request(SyncFetch *fetch, SyncHttpRequest *request);
static char *validator_of(SyncFetch *fetch, const char *name);
static bool has_secret(SyncFetch *fetch, const char *text);
static void begin_anew(SyncFetch *fetch);

/*
 * Take up what is known of answers, SyncValidator; before the first step.
 */
void
sync_provider_set_validators(SyncFetch *fetch, List *validators, bool whole)
{
	HASHCTL how = {
		.keysize = SYNC_REQUEST_HASH_SIZE,
		.entrysize = sizeof(SyncValidator),
		.hcxt = fetch->context,
	};
	ListCell *cell;

	fetch->keeps_validators = true;
	fetch->whole = whole;
	if (validators == NIL)
		return;
	fetch->known = hash_create("sync validators",
							   list_length(validators),
							   &how,
							   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	foreach(cell, validators)
	{
		SyncValidator *given = lfirst(cell);
		SyncValidator *known =
			hash_search(fetch->known, given->request, HASH_ENTER, NULL);

		*known = *given;
	}
}

/*
 * What answers said of themselves, SyncValidator.
 */
List *
sync_provider_validators(SyncFetch *fetch)
{
	return fetch->validators;
}

/*
 * How many pages were as they had been, so that their records did not come.
 */
int64
sync_provider_unchanged(SyncFetch *fetch)
{
	return fetch->unchanged;
}

/*
 * Whether any page came with what it has.
 */
bool
sync_provider_is_changed(SyncFetch *fetch)
{
	return fetch->counts.pages > fetch->unchanged;
}

/*
 * Add to a request what the answer to it is known by.
 */
void
sync_provider_add_validator(SyncFetch *fetch, SyncHttpRequest *request)
{
	fetch->asked = NULL;
	if (!fetch->keeps_validators || !fetch->endpoint->conditional ||
		strcmp(request->method, "GET") != 0)
		return;
	strlcpy(fetch->request_hash,
			hash_request(fetch, request),
			sizeof(fetch->request_hash));
	if (fetch->known == NULL || fetch->unconditional)
		return;
	fetch->asked =
		hash_search(fetch->known, fetch->request_hash, HASH_FIND, NULL);
	if (fetch->asked == NULL)
		return;
	if (fetch->asked->etag)
		sync_provider_add_header(&request->headers,
								 "If-None-Match",
								 fetch->asked->etag);
	if (fetch->asked->modified)
		sync_provider_add_header(&request->headers,
								 "If-Modified-Since",
								 fetch->asked->modified);
}

/*
 * A page came that is not as it was.  Returns false where it is not to be used,
 * since the fetch begins anew.
 */
bool
sync_provider_is_usable(SyncFetch *fetch)
{
	if (!fetch->whole || fetch->unconditional)
		return true;
	fetch->unconditional = true;
	if (fetch->unchanged == 0)
		return true;
	begin_anew(fetch);
	return false;
}

/*
 * Note what the answer at hand, whose page was noted, says of itself.
 */
void
sync_provider_note_validator(SyncFetch *fetch)
{
	MemoryContext caller;
	SyncValidator *validator;
	char *etag;
	char *modified;

	if (!fetch->keeps_validators || !fetch->endpoint->conditional ||
		strcmp(fetch->request->method, "GET") != 0)
		return;
	etag = validator_of(fetch, "ETag");
	modified = validator_of(fetch, "Last-Modified");
	if ((etag == NULL && modified == NULL) ||
		has_secret(fetch, fetch->pager.next_url) ||
		has_secret(fetch, fetch->pager.cursor))
		return;
	caller = MemoryContextSwitchTo(fetch->context);
	validator = palloc0(sizeof(SyncValidator));
	strlcpy(validator->request, fetch->request_hash, sizeof(validator->request));
	validator->url =
		sync_http_shown_url(fetch->request->url, fetch->request->hide_path);
	validator->etag = etag ? pstrdup(etag) : NULL;
	validator->modified = modified ? pstrdup(modified) : NULL;
	validator->next = sync_provider_describe_next(fetch);
	fetch->validators = lappend(fetch->validators, validator);
	MemoryContextSwitchTo(caller);
}

/*
 * The page that was asked for is as it was: go where it led to.
 */
void
sync_provider_take_unchanged(SyncFetch *fetch)
{
	MemoryContext caller;

	if (fetch->asked == NULL)
		ereport(ERROR,
				errcode(SYNC_ERRCODE_HTTP_STATUS),
				errmsg("provider \"%s\" says that nothing changed, and was not asked for that",
					   fetch->endpoint->provider->name),
				errdetail("\"%s\" answered with status 304.",
						  sync_http_shown_url(fetch->request->url,
											  fetch->request->hide_path)));
	sync_provider_go_after(fetch, fetch->asked->next, false);
	caller = MemoryContextSwitchTo(fetch->context);
	fetch->validators = lappend(fetch->validators, fetch->asked);
	MemoryContextSwitchTo(caller);
	fetch->unchanged++;
}

/*
 * Go where a page led to that sync_provider_describe_next described; nowhere
 * after the "last".
 */
void
sync_provider_go_after(SyncFetch *fetch, char *page, bool last)
{
	SyncPager *pager = &fetch->pager;
	char *kind = sync_kit_json_string(fetch->endpoint->page, "kind");
	MemoryContext caller = MemoryContextSwitchTo(fetch->parent_context);
	JsonbValue *next = sync_kit_json_value(sync_kit_json_parse(page));

	pager->more = !last && sync_kit_json_boolean(next, "more", false);
	pager->cursor = sync_kit_json_string(next, "cursor");
	pager->next_url = sync_kit_json_string(next, "url");
	pager->number += strcmp(kind, "offset") == 0
						 ? sync_kit_json_integer(next, "records", 0)
						 : 1;
	pager->pages++;
	MemoryContextSwitchTo(caller);
}

/*
 * A hash of what is asked, and by whom: a URL can have secrets in it.
 */
static char *
hash_request(SyncFetch *fetch, SyncHttpRequest *request)
{
	const char *origin = fetch->credential->origin;
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context,
							 (const uint8 *) request->url,
							 strlen(request->url) + 1) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) origin, strlen(origin)) <
			0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute a SHA-256 hash"));
	pg_cryptohash_free(context);
	return sync_kit_hex(digest, PG_SHA256_DIGEST_LENGTH);
}

/*
 * Where the page at hand leads to, as JSON.
 */
char *
sync_provider_describe_next(SyncFetch *fetch)
{
	SyncPager *pager = &fetch->pager;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"more\": %s, \"records\": %d",
					 pager->more ? "true" : "false",
					 sync_provider_count(fetch));
	if (pager->cursor)
	{
		appendStringInfoString(&json, ", \"cursor\": ");
		escape_json(&json, pager->cursor);
	}
	if (pager->next_url)
	{
		appendStringInfoString(&json, ", \"url\": ");
		escape_json(&json, pager->next_url);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * What a header of the answer says it is known by; NULL where that cannot be sent
 * back, since no run would get an answer any more, or would not for its length.
 */
static char *
validator_of(SyncFetch *fetch, const char *name)
{
	char *value = sync_http_header(fetch->transfer, name);

	if (value == NULL || strlen(value) > VALIDATOR_BYTES_MAX ||
		sync_http_header_fault(name, value))
		return NULL;
	return value;
}

/*
 * Whether a text, which may be NULL, has a secret of the request in it.
 */
static bool
has_secret(SyncFetch *fetch, const char *text)
{
	ListCell *cell;

	foreach(cell, fetch->request->secrets)
	{
		const char *secret = lfirst(cell);

		if (text && secret[0] && strstr(text, secret))
			return true;
	}
	return false;
}

/*
 * Begin anew, with the first parent and the first page.
 */
static void
begin_anew(SyncFetch *fetch)
{
	fetch->begun = false;
	fetch->ended = false;
	fetch->parents_end = false;
	fetch->parent_at = 0;
	fetch->constant_at = 0;
	fetch->collected = NIL;
	fetch->records = NIL;
	fetch->scanned = false;
	fetch->record_at = 0;
	fetch->unchanged = 0;
	fetch->validators = NIL;
	sync_provider_keep_anew(fetch);
	memset(&fetch->pager, 0, sizeof(SyncPager));
	if (fetch->parent)
		begin_anew(fetch->parent);
}
