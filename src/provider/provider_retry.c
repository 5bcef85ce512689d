/*-------------------------------------------------------------------------
 *
 * provider_retry.c
 *	  Requests that did not work: when they are made again, or why they are not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "kit/kit_error.h"
#include "provider/provider_count.h"
#include "provider/provider_limit.h"
#include "provider/provider_push.h"

#define DEFAULT_RETRIES 3
#define DEFAULT_WAIT_MS 1000
#define DEFAULT_FACTOR	2

static void pause(SyncFetch *fetch, int64 ms);
static void report_verdict(SyncFetch *fetch, SyncVerdict *verdict, int status);
static bool may_retry(SyncFetch *fetch, bool undone);
static int64 most_tries(SyncFetch *fetch);
static int64 next_wait_ms(SyncFetch *fetch,
						  const SyncVerdict *verdict,
						  int tries,
						  bool again);
static int64 backoff_ms(SyncFetch *fetch, int tries);

/*
 * No whole answer came to the request at hand: have it made again, or raise.
 */
void
sync_provider_retry_broken(SyncFetch *fetch)
{
	fetch->counts.faults[SYNC_FAULT_UNANSWERED]++;
	if (!may_retry(fetch, !sync_http_was_sent(fetch->transfer)))
		sync_http_check(fetch->transfer);
	sync_provider_wait_for(fetch, backoff_ms(fetch, fetch->tries++));
	fetch->counts.retries++;
}

/*
 * Do what the outcome of an answer says where it is not in order: have the
 * request at hand made again, or raise.
 */
void
sync_provider_retry_verdict(SyncFetch *fetch, SyncVerdict *verdict, int status)
{
	int64 wait_ms;

	sync_provider_count_outcome(fetch, verdict->outcome);
	if (verdict->outcome == SYNC_OUTCOME_AUTHENTICATE ||
		verdict->outcome == SYNC_OUTCOME_THROTTLE)
		sync_provider_set_items(fetch, SYNC_ITEM_WAITING);
	if (verdict->outcome == SYNC_OUTCOME_AUTHENTICATE &&
		!fetch->authenticated && sync_provider_forget_token(fetch))
	{
		fetch->authenticated = true;
		fetch->counts.retries++;
		return;
	}
	wait_ms =
		next_wait_ms(fetch,
					 verdict,
					 fetch->tries,
					 may_retry(fetch,
							   verdict->outcome == SYNC_OUTCOME_THROTTLE));
	if (wait_ms < 0)
		report_verdict(fetch, verdict, status);
	fetch->tries++;
	fetch->counts.retries++;
	sync_provider_wait_for(fetch, wait_ms);
}

/*
 * How long the call for a token waits until it is made again, by the outcome of
 * its reply (NULL: no whole one came); -1: it is not.
 */
int64
sync_provider_retry_token(SyncFetch *fetch, const SyncVerdict *verdict)
{
	int64 wait_ms = next_wait_ms(fetch,
								 verdict,
								 fetch->token_tries,
								 fetch->token_tries < most_tries(fetch));

	if (wait_ms < 0)
		return -1;
	fetch->token_tries++;
	fetch->counts.retries++;
	return wait_ms;
}

/*
 * Leave the provider alone, as it asks, whoever would use the credential.
 */
static void
pause(SyncFetch *fetch, int64 ms)
{
	sync_provider_limit_pause(fetch, ms);
	sync_provider_count_hold(fetch, ms);
}

/*
 * Let the next request wait.
 */
void
sync_provider_wait_for(SyncFetch *fetch, int64 ms)
{
	fetch->not_before = GetCurrentTimestamp() + ms * 1000;
	fetch->counts.waited_ms += ms;
}

/*
 * Does the next request have to wait still, and how long?
 */
bool
sync_provider_has_to_wait(SyncFetch *fetch, int64 *wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();

	if (fetch->not_before <= now)
		return false;
	*wait_ms = (fetch->not_before - now + 999) / 1000;
	return true;
}

/*
 * Raise what an answer says.
 */
static void
report_verdict(SyncFetch *fetch, SyncVerdict *verdict, int status)
{
	char *shown =
		sync_http_shown_url(fetch->request->url, fetch->request->hide_path);
	bool refused = verdict->outcome == SYNC_OUTCOME_AUTHENTICATE;
	bool waits;

	fetch->prospect.hopeless = refused || verdict->outcome == SYNC_OUTCOME_FAIL;
	waits = verdict->wait_ms >= 0 && !fetch->prospect.hopeless;
	if (waits)
		sync_provider_limit_foresee(fetch, verdict->wait_ms);
	ereport(ERROR,
			errcode(SYNC_ERRCODE_HTTP_STATUS),
			refused
				? errmsg("provider \"%s\" does not accept the credential",
						 fetch->endpoint->provider->name)
				: errmsg("provider \"%s\" did not do what endpoint \"%s\" asks",
						 fetch->endpoint->provider->name,
						 fetch->endpoint->name),
			verdict->message
				? errdetail("\"%s\" answered with status %d: %s",
							shown,
							status,
							sync_http_repeat(verdict->message,
											 fetch->request->secrets))
				: errdetail("\"%s\" answered with status %d.", shown, status),
			waits ? errhint("It asks to be left alone for %g seconds.",
							verdict->wait_ms / 1000.0)
			: refused
				? errhint("Set the credential anew with sync_set_credential.")
				: 0);
}

/*
 * May the request at hand be made again?  "undone": it is known that nothing
 * was done for it.
 */
static bool
may_retry(SyncFetch *fetch, bool undone)
{
	return fetch->handed_out == 0 &&
		   (undone || sync_provider_is_harmless(fetch)) &&
		   fetch->tries < most_tries(fetch);
}

/*
 * How often what did not work is tried again.
 */
static int64
most_tries(SyncFetch *fetch)
{
	return sync_kit_json_integer(fetch->endpoint->provider->retry,
								 "times",
								 DEFAULT_RETRIES);
}

/*
 * How long to wait before what did not work is tried "again", by its outcome
 * (NULL: no whole answer came) and how often it was so far; -1: it is not.  A
 * provider that wants to be left alone is meanwhile, and by all where nobody waits
 * that long.
 */
static int64
next_wait_ms(SyncFetch *fetch, const SyncVerdict *verdict, int tries, bool again)
{
	int64 wait_ms = verdict ? verdict->wait_ms : -1;
	bool too_long = wait_ms > sync_provider_limit_most_ms(fetch);

	if (verdict && verdict->outcome != SYNC_OUTCOME_RETRY &&
		verdict->outcome != SYNC_OUTCOME_THROTTLE)
		return -1;
	if (wait_ms < 0)
		wait_ms = backoff_ms(fetch, tries);
	if (verdict && verdict->outcome == SYNC_OUTCOME_THROTTLE &&
		(again || too_long))
		pause(fetch, wait_ms);
	return again && !too_long ? wait_ms : -1;
}

/*
 * How long to wait before the next try, where nobody says.
 */
static int64
backoff_ms(SyncFetch *fetch, int tries)
{
	JsonbValue *retry = fetch->endpoint->provider->retry;
	int64 most_ms = sync_provider_limit_most_ms(fetch);
	int64 factor = sync_kit_json_integer(retry, "factor", DEFAULT_FACTOR);
	int64 wait_ms = sync_kit_json_integer(retry, "wait_ms", DEFAULT_WAIT_MS);

	for (int i = 0; i < tries && wait_ms < most_ms; i++)
		wait_ms *= factor;
	return Min(wait_ms, most_ms);
}
