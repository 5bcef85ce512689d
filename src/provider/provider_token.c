/*-------------------------------------------------------------------------
 *
 * provider_token.c
 *	  Tokens: the call that is made before others, its reply, and when it has to
 *	  be made again.
 *
 * A token is used until it runs out, by all fetches of this process, and is
 * stored beside its credential for those of others.  It is renewed by the
 * refresh call where there is one; a provider that gives a new refresh token
 * each time has that stored as well.  Where refreshing does not work, another
 * process may have done it: the token that is stored by now is taken, and else
 * the first call is made again.
 *
 * Steps that are taken between transactions leave what is stored to whoever
 * takes them (sync_provider_settle_token).  What fetches of one process share is
 * in provider_token_shared.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "kit/kit_error.h"
#include "provider/provider_count.h"
#include "provider/provider_limit.h"
#include "provider/provider_records.h"
#include "provider/provider_token.h"

#define DEFAULT_LIFETIME_S 3600
#define DEFAULT_SKEW_S	   60

static JsonbValue *token_scheme(SyncFetch *fetch);
static bool is_fresh(SyncFetch *fetch);
static void use_known(SyncFetch *fetch);
static int64 expires_at(JsonbValue *token);
static void take_stored(SyncFetch *fetch);
static bool start_call(SyncFetch *fetch, JsonbValue *scheme, int64 *wait_ms);
static SyncHttpRequest *compose_call(SyncFetch *fetch,
									 JsonbValue *call,
									 const char *url,
									 const char *method);
static int64 take_reply(SyncFetch *fetch, JsonbValue *scheme);
static int64 take_answer(SyncFetch *fetch, JsonbValue *scheme);
static void take_token(SyncFetch *fetch, const char *token);
static int64 take_refusal(SyncFetch *fetch,
						  const char *text,
						  JsonbValue *document);
static JsonbValue *read_reply(SyncFetch *fetch,
							  JsonbValue *scheme,
							  JsonbValue *document);
static void report_reply(SyncFetch *fetch,
						 const SyncVerdict *verdict,
						 int status,
						 JsonbValue *document);
static char *reason_of(SyncFetch *fetch, JsonbValue *document);
static void end_call(SyncFetch *fetch);
static void use_token(SyncFetch *fetch, const char *token);
static void use_other(SyncFetch *fetch, const char *token);

/*
 * Has the fetch the token that it needs, if it needs one?  Otherwise a call for
 * one is under way, which is to be waited for, or has to wait for *wait_ms itself.
 */
bool
sync_provider_token_ready(SyncFetch *fetch, int64 *wait_ms)
{
	JsonbValue *scheme = token_scheme(fetch);

	if (scheme == NULL)
		return true;
	while (!fetch->token_asked)
	{
		if (fetch->token_transfer == NULL)
		{
			if (!is_fresh(fetch))
				use_known(fetch);
			if (is_fresh(fetch))
				return true;
			if (!start_call(fetch, scheme, wait_ms))
				return false;
		}
		*wait_ms = sync_provider_limit_follow(fetch, fetch->token_transfer);
		if (*wait_ms > 0)
			return false;
		*wait_ms = -1;
		if (sync_http_state(fetch->token_transfer) != SYNC_HTTP_DONE)
			return false;
		*wait_ms = take_reply(fetch, scheme);
		if (*wait_ms > 0)
			return false;
		*wait_ms = -1;
	}
	return false;
}

/*
 * Is there something to be stored, or to be looked up, before a fetch goes on?
 */
bool
sync_provider_token_unsettled(SyncFetch *fetch)
{
	for (; fetch; fetch = fetch->parent)
		if (fetch->token_new || fetch->token_asked)
			return true;
	return false;
}

/*
 * Store a token that came, and look for the one that is stored where that is
 * asked for; in a transaction.
 */
void
sync_provider_settle_token(SyncFetch *fetch)
{
	for (; fetch; fetch = fetch->parent)
	{
		if (fetch->token_new)
			sync_provider_store_token(fetch->credential,
									  sync_kit_json_text(fetch->credential
															 ->token));
		fetch->token_new = false;
		if (fetch->token_asked)
			take_stored(fetch);
	}
}

/*
 * Take the token for used up, as the provider refused it.  Returns false where
 * there is none to be had anew.
 */
bool
sync_provider_forget_token(SyncFetch *fetch)
{
	if (token_scheme(fetch) == NULL || fetch->scope.token == NULL)
		return false;
	sync_provider_token_refused(fetch->credential,
								sync_kit_json_text(fetch->scope.token));
	fetch->token_refused = true;
	return true;
}

/*
 * The definition of the token call, NULL where there is none.
 */
static JsonbValue *
token_scheme(SyncFetch *fetch)
{
	ListCell *cell;

	foreach(cell, fetch->endpoint->provider->auth)
	{
		JsonbValue *token = sync_kit_json_member(lfirst(cell), "token");

		if (token)
			return token;
	}
	return NULL;
}

/*
 * Is a token there that was not refused, and good for some time to come?
 */
static bool
is_fresh(SyncFetch *fetch)
{
	JsonbValue *token = fetch->scope.token;
	int64 now_s = timestamptz_to_time_t(GetCurrentTimestamp());

	return token && !fetch->token_refused && expires_at(token) > now_s;
}

/*
 * Take the token that another fetch got for the same credential, if that is
 * newer than ours.
 */
static void
use_known(SyncFetch *fetch)
{
	const char *known = sync_provider_token_known(fetch->credential);
	JsonbValue *ours = fetch->scope.token;

	if (known && !(ours && strcmp(known, sync_kit_json_text(ours)) == 0) &&
		expires_at(sync_kit_json_value(sync_kit_json_parse(known))) >=
			expires_at(ours))
		use_other(fetch, known);
}

/*
 * Until when a token is good, in seconds since 1970; 0: there is none.
 */
static int64
expires_at(JsonbValue *token)
{
	return sync_kit_json_integer(token, "expires_at", 0);
}

/*
 * Take the token that is stored by now, where that is another one than ours.
 */
static void
take_stored(SyncFetch *fetch)
{
	JsonbValue *stored;
	char *text;

	/* that of the statement at hand is as old as the token that we had */
	PushActiveSnapshot(GetLatestSnapshot());
	stored = sync_provider_stored_token(fetch->credential);
	PopActiveSnapshot();
	text = stored ? sync_kit_json_text(stored) : NULL;
	fetch->token_asked = false;
	if (text && strcmp(text, sync_kit_json_text(fetch->scope.token)) != 0)
	{
		use_other(fetch, text);
		sync_provider_token_remember(fetch->credential, text);
		return;
	}
	fetch->refresh_failed = true;
	fetch->scope.token = fetch->credential->token = NULL;
}

/*
 * Start the call, unless it has to wait: the one that refreshes, where there is
 * something to refresh.
 */
static bool
start_call(SyncFetch *fetch, JsonbValue *scheme, int64 *wait_ms)
{
	JsonbValue *refresh = sync_kit_json_member(scheme, "refresh");
	char *url = sync_kit_json_string(scheme, "url");
	char *method = sync_kit_json_string(scheme, "method");
	MemoryContext caller;

	*wait_ms = sync_provider_token_wait(fetch);
	if (*wait_ms > 0)
		return false;
	if (fetch->token_context == NULL)
		fetch->token_context = AllocSetContextCreate(fetch->context,
													 "sync token call",
													 ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(fetch->token_context);
	*wait_ms = sync_provider_limit_wait(fetch, fetch->token_context);
	if (*wait_ms > 0)
		return false;

	fetch->refreshing = refresh && !fetch->refresh_failed &&
						sync_kit_json_member(fetch->scope.token, "refresh");
	caller = MemoryContextSwitchTo(fetch->token_context);
	if (fetch->refreshing && sync_kit_json_member(refresh, "url"))
		url = sync_kit_json_string(refresh, "url");
	fetch->token_request =
		compose_call(fetch,
					 fetch->refreshing ? refresh : scheme,
					 url,
					 method ? method : "POST");
	fetch->token_transfer =
		sync_provider_limit_start(fetch, fetch->token_request);
	sync_provider_token_under_way(fetch);
	fetch->counts.sent_bytes += fetch->token_request->body_length;
	MemoryContextSwitchTo(caller);
	return true;
}

/*
 * Compose the request of a token call.
 */
static SyncHttpRequest *
compose_call(SyncFetch *fetch,
			 JsonbValue *call,
			 const char *given,
			 const char *method)
{
	SyncHttpRequest *request = palloc0(sizeof(SyncHttpRequest));
	JsonbValue *form = sync_kit_json_member(call, "form");
	JsonbValue *basic = sync_kit_json_member(call, "basic");
	SyncUrl url = {.has_query = false};
	char *expanded;
	ListCell *cell;

	request->method = method;
	request->secrets = sync_provider_secrets(fetch);
	expanded = sync_provider_expand_secret(fetch, given, &request->secrets);
	initStringInfo(&url.text);
	if (expanded[0] == '/')
		appendStringInfoString(&url.text, fetch->endpoint->provider->base_url);
	appendStringInfoString(&url.text, expanded);
	url.has_query = strchr(url.text.data, '?') != NULL;

	foreach(cell, sync_kit_json_members(sync_kit_json_member(call, "query")))
	{
		SyncJsonMember *member = lfirst(cell);

		sync_provider_url_add(&url,
							  member->name,
							  sync_provider_expand_secret(fetch,
														  sync_kit_json_text(member
																				 ->value),
														  &request->secrets));
	}
	foreach(cell, sync_kit_json_members(sync_kit_json_member(call, "headers")))
	{
		SyncJsonMember *member = lfirst(cell);

		sync_provider_add_header(
			&request->headers,
			member->name,
			sync_provider_expand_secret(fetch,
										sync_kit_json_text(member->value),
										&request->secrets));
	}
	if (basic)
		sync_provider_add_header(&request->headers,
								 "Authorization",
								 sync_provider_basic(fetch,
													 basic,
													 &request->secrets));
	if (form)
	{
		/* a field that is missing is reported, not left out */
		foreach(cell, sync_kit_json_members(form))
			(void)
				sync_provider_expand_secret(fetch,
											sync_kit_json_text(((SyncJsonMember *)
																	lfirst(cell))
																   ->value),
											&request->secrets);
		request->body =
			sync_provider_form(form, &fetch->scope, &request->secrets);
		request->body_length = strlen(request->body);
		sync_provider_add_header(&request->headers,
								 "Content-Type",
								 "application/x-www-form-urlencoded");
	}
	sync_provider_add_header(&request->headers, "Accept", "application/json");
	sync_provider_add_header(&request->headers, "User-Agent", "sync_ext");
	request->url = url.text.data;
	return request;
}

/*
 * Take the reply, if one came.  Returns how many milliseconds the next call has to
 * wait, if one has to be made.
 */
static int64
take_reply(SyncFetch *fetch, JsonbValue *scheme)
{
	SyncHttpTransfer *transfer = fetch->token_transfer;
	MemoryContext caller = MemoryContextSwitchTo(fetch->token_context);
	int64 wait_ms;

	fetch->counts.transfer_us += sync_http_elapsed_us(transfer);
	if (sync_http_is_broken(transfer))
	{
		fetch->counts.faults[SYNC_FAULT_UNANSWERED]++;
		wait_ms = sync_provider_retry_token(fetch, NULL);
		if (wait_ms < 0)
			sync_http_check(transfer);
	}
	else
		wait_ms = take_answer(fetch, scheme);
	MemoryContextSwitchTo(caller);
	if (IsTransactionState() && fetch->token_new)
		sync_provider_settle_token(fetch);
	end_call(fetch);
	if (IsTransactionState() && fetch->token_asked)
		take_stored(fetch);
	return wait_ms;
}

/*
 * Take a reply that came whole, and the token in it; see take_reply.
 */
static int64
take_answer(SyncFetch *fetch, JsonbValue *scheme)
{
	SyncHttpTransfer *transfer = fetch->token_transfer;
	JsonbValue *document = NULL;
	JsonbValue *token = NULL;
	Size length;
	char *text;

	sync_http_check(transfer);
	fetch->counts.bytes += sync_http_bytes(transfer);
	text = sync_http_text(transfer, &length);
	if (sync_kit_json_is_valid(text))
		document = sync_kit_json_value(sync_kit_json_parse(text));
	if (sync_http_status(transfer) / 100 == 2 && document)
		token = read_reply(fetch, scheme, document);
	if (token == NULL)
		return take_refusal(fetch, text, document);
	take_token(fetch, sync_kit_json_text(token));
	return 0;
}

/*
 * Take a token that came, as JSON.
 */
static void
take_token(SyncFetch *fetch, const char *token)
{
	fetch->counts.tokens++;
	fetch->token_tries = 0;
	use_token(fetch, token);
	sync_provider_token_remember(fetch->credential, token);
	fetch->token_new = true;
}

/*
 * Take a reply without a token: have the call made again, or raise.  Where it
 * refuses to refresh one, the next call is the first again; see take_reply.
 */
static int64
take_refusal(SyncFetch *fetch, const char *text, JsonbValue *document)
{
	char *wait =
		sync_kit_json_string(fetch->endpoint->provider->retry, "header");
	int status = sync_http_status(fetch->token_transfer);
	SyncVerdict verdict =
		sync_provider_judge(fetch->endpoint,
							status,
							text,
							document,
							sync_http_header(fetch->token_transfer,
											 wait ? wait : "Retry-After"));
	int64 wait_ms;

	if (!fetch->refreshing || verdict.outcome == SYNC_OUTCOME_RETRY ||
		verdict.outcome == SYNC_OUTCOME_THROTTLE)
	{
		sync_provider_count_outcome(fetch, verdict.outcome);
		wait_ms = sync_provider_retry_token(fetch, &verdict);
		if (wait_ms < 0)
			report_reply(fetch, &verdict, status, document);
		return wait_ms;
	}
	sync_provider_count_outcome(fetch, SYNC_OUTCOME_AUTHENTICATE);
	fetch->token_tries = 0;
	fetch->token_asked = IsTransactionState() || fetch->between;
	if (!fetch->token_asked)
	{
		fetch->refresh_failed = true;
		fetch->scope.token = fetch->credential->token = NULL;
	}
	return 0;
}

/*
 * The token in a reply, with the time until which it is good; NULL where the
 * reply has none.
 */
static JsonbValue *
read_reply(SyncFetch *fetch, JsonbValue *scheme, JsonbValue *document)
{
	JsonbValue *values = sync_kit_json_member(scheme, "values");
	JsonbParseState *state = NULL;
	char *refresh = sync_kit_json_string(fetch->scope.token, "refresh");
	char *access = sync_provider_find_text(document, values, "access");
	char *expires = sync_provider_find_text(document, values, "expires");
	double lifetime_s =
		sync_kit_json_integer(scheme, "lifetime_s", DEFAULT_LIFETIME_S);
	double skew_s = sync_kit_json_integer(scheme, "skew_s", DEFAULT_SKEW_S);
	int64 now_s = timestamptz_to_time_t(GetCurrentTimestamp());
	ListCell *cell;

	if (access == NULL)
		return NULL;
	/* it would be stored, and no request could be sent with it */
	if (sync_http_header_fault("Authorization", access))
		ereport(ERROR,
				errcode(SYNC_ERRCODE_HTTP_STATUS),
				errmsg("provider \"%s\" gave a token that cannot be sent",
					   fetch->endpoint->provider->name),
				errdetail("It has a line end or another control character."));
	if (expires && strtod(expires, NULL) > 0)
		lifetime_s = Min(strtod(expires, NULL), 1e10);
	/* renewed a little earlier; one that does not last is used once at least */
	lifetime_s -= Min(skew_s, lifetime_s / 2);

	sync_kit_json_begin(&state);
	/* one that is given once is good for more than one time */
	if (refresh && fetch->refreshing)
	{
		sync_kit_json_put(&state, "refresh", sync_kit_json_new_text(refresh));
	}
	foreach(cell, sync_kit_json_members(values))
	{
		const char *name = ((SyncJsonMember *) lfirst(cell))->name;
		char *value = sync_provider_find_text(document, values, name);

		if (value == NULL || strcmp(name, "expires") == 0)
			continue;
		sync_kit_json_put(&state, name, sync_kit_json_new_text(value));
	}
	sync_kit_json_put(&state,
					  "expires_at",
					  sync_kit_json_new_integer(now_s +
												Max(1, (int64) lifetime_s)));
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * Raise what a reply without a token says.
 */
static void
report_reply(SyncFetch *fetch,
			 const SyncVerdict *verdict,
			 int status,
			 JsonbValue *document)
{
	bool final = verdict->outcome == SYNC_OUTCOME_FAIL ||
				 verdict->outcome == SYNC_OUTCOME_AUTHENTICATE;
	bool waits = verdict->wait_ms >= 0 && !final;

	fetch->prospect.hopeless = final;
	if (waits)
		sync_provider_limit_foresee(fetch, verdict->wait_ms);
	ereport(ERROR,
			errcode(SYNC_ERRCODE_HTTP_STATUS),
			errmsg("provider \"%s\" gave no token",
				   fetch->endpoint->provider->name),
			errdetail("It answered with status %d%s.",
					  status,
					  reason_of(fetch, document)),
			waits ? errhint("It asks to be left alone for %g seconds.",
							verdict->wait_ms / 1000.0)
			: final && status / 100 != 5
				? errhint("The credential might be wrong or out of date: set it anew with sync_set_credential.")
				: 0);
}

/*
 * What a reply says of why there is no token, to go behind the status.
 */
static char *
reason_of(SyncFetch *fetch, JsonbValue *document)
{
	static const char *const names[] = {"error_description", "hint", "error"};

	for (int i = 0; i < lengthof(names) && document; i++)
	{
		char *text = sync_kit_json_string(document, names[i]);

		if (text && text[0])
			return psprintf(": %s",
							sync_http_repeat(text,
											 fetch->token_request->secrets));
	}
	return pstrdup("");
}

/*
 * End the call.
 */
static void
end_call(SyncFetch *fetch)
{
	fetch->token_transfer = NULL;
	fetch->token_request = NULL;
	MemoryContextDelete(fetch->token_context);
	fetch->token_context = NULL;
}

/*
 * Use a token, given as JSON, from now on.
 */
static void
use_token(SyncFetch *fetch, const char *token)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);

	fetch->credential->token = sync_kit_json_value(sync_kit_json_parse(token));
	fetch->scope.token = fetch->credential->token;
	fetch->token_refused = false;
	MemoryContextSwitchTo(caller);
}

/*
 * Use a token that another fetch got.  It may be older than the one that was
 * refused, and be refused as well: then one is got.
 */
static void
use_other(SyncFetch *fetch, const char *token)
{
	use_token(fetch, token);
	fetch->authenticated = false;
}
