/*-------------------------------------------------------------------------
 *
 * provider_outcome.c
 *	  What becomes of an answer: by the rules first, and by its status where
 *	  none of them fits.
 *
 * Some APIs say with status 200 that nothing was done, so the body is looked at
 * before the status is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_records.h"

static bool fits(SyncOutcomeRule *rule,
				 int status,
				 const char *body,
				 JsonbValue *document);
static SyncOutcome by_status(int status);

/*
 * Is a body to be read as JSON?  Where all went well, one that begins like it
 * has to be; otherwise it is read only where it is.
 */
bool
sync_provider_is_json(const char *text, int status)
{
	char first = text[strspn(text, " \t\r\n")];

	if (first != '{' && first != '[')
		return false;
	return status / 100 == 2 || sync_kit_json_is_valid(text);
}

/*
 * Judge an answer.  "document" is its body as JSON, NULL where it is none;
 * "wait" the header that says how long to wait, or NULL.
 */
SyncVerdict
sync_provider_judge(SyncEndpoint *endpoint,
					int status,
					const char *body,
					JsonbValue *document,
					const char *wait)
{
	SyncVerdict verdict = {
		.outcome = by_status(status),
		.wait_ms = sync_http_parse_wait(wait),
	};
	ListCell *cell;

	foreach(cell, endpoint->outcomes)
	{
		SyncOutcomeRule *rule = lfirst(cell);

		if (!fits(rule, status, body, document))
			continue;
		verdict.outcome = rule->outcome;
		verdict.by_rule = true;
		if (rule->wait_ms >= 0 && verdict.wait_ms < 0)
			verdict.wait_ms = rule->wait_ms;
		if (rule->message && document)
			verdict.message =
				sync_kit_json_text(sync_kit_json_find_one(document,
														  rule->message));
		break;
	}
	return verdict;
}

/*
 * Does a rule fit an answer?
 */
static bool
fits(SyncOutcomeRule *rule, int status, const char *body, JsonbValue *document)
{
	bool found = rule->statuses == NIL;
	ListCell *cell;

	foreach(cell, rule->statuses)
		found |=
			lfirst_int(cell) == status || lfirst_int(cell) == -status / 100;
	if (!found)
		return false;
	if (rule->body && strcmp(rule->body, body) != 0)
		return false;
	return rule->when == NULL ||
		   (document && sync_kit_json_holds(document, rule->when));
}

/*
 * What a status says.
 */
static SyncOutcome
by_status(int status)
{
	if (status / 100 == 2 || status == 304)
		return SYNC_OUTCOME_OK;
	if (status == 401)
		return SYNC_OUTCOME_AUTHENTICATE;
	if (status == 429)
		return SYNC_OUTCOME_THROTTLE;
	if (status == 408 || status == 425 || (status >= 500 && status != 501))
		return SYNC_OUTCOME_RETRY;
	return SYNC_OUTCOME_FAIL;
}
