/*-------------------------------------------------------------------------
 *
 * provider_check_body.c
 *	  What is checked of the body of an endpoint when that is stored.
 *
 * A body is one to ask with, or one to push rows in; each kind has members of its
 * own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_error.h"
#include "provider/provider_grammar.h"

/* What each kind of body needs, and what else it may have */
static const struct
{
	const char *kind;
	const char *needed;
	const char *allowed;
} kinds[] = {
	{"json", "value", ""},
	{"form", "fields", ""},
	{"form_json", "field", "fields envelope value nulls batch"},
	{"records", "", "envelope value nulls batch"},
	{"object", "", "envelope value nulls"},
	{"columns", "", "envelope value names rows batch"},
};

#define SAID_OF_ROWS "items id failed duplicate message match key by settle_ms"

static void check_kind(SyncGrammar *grammar, SyncEndpoint *endpoint);
static void check_answers(SyncGrammar *grammar, SyncEndpoint *endpoint);
static void refuse_if(bool wrong,
					  SyncGrammar *grammar,
					  const char *detail,
					  const char *hint);

/*
 * Check the body of an endpoint, and what it needs of the rest.  Raises where it
 * cannot work.
 */
void
sync_provider_check_body(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	JsonbValue *body = endpoint->body;
	char *page = sync_kit_json_string(endpoint->page, "kind");
	const char *fault;

	refuse_if(endpoint->takes_rows && page && strcmp(page, "single") != 0,
			  grammar,
			  psprintf("Rows are pushed to it, and its page.kind is \"%s\".",
					   page ? page : ""),
			  "What answers to rows has no pages.");
	refuse_if(endpoint->takes_rows && (endpoint->parent || endpoint->each),
			  grammar,
			  "Rows are pushed to it, and it has a parent or each.",
			  "Which rows are pushed is said by sync_create_push.");
	if (body == NULL)
		return;
	refuse_if(strcmp(endpoint->method, "GET") == 0 ||
				  strcmp(endpoint->method, "HEAD") == 0,
			  grammar,
			  psprintf("It has a body, and its method is %s.",
					   endpoint->method),
			  "A body goes with POST, PUT, PATCH or DELETE.");
	check_kind(grammar, endpoint);
	refuse_if(!sync_kit_json_lacks(body, "batch") &&
				  sync_kit_json_integer(body, "batch", 0) < 1,
			  grammar,
			  "Its body.batch is 0.",
			  NULL);
	refuse_if(endpoint->one_by_one &&
				  sync_kit_json_integer(body, "batch", 1) != 1,
			  grammar,
			  "Its body.batch is more than 1, and each row has a request of its own.",
			  "Templates of a request can name {item.x} only where that is one row; those of columns can always.");
	refuse_if(!sync_kit_json_lacks(body, "value") && endpoint->takes_rows &&
				  !sync_kit_json_lacks(body, "envelope") &&
				  !sync_kit_json_is_object(sync_kit_json_member(body, "value")),
			  grammar,
			  "Its body.value is not an object.",
			  "It has the members that stand beside the envelope.");
	check_answers(grammar, endpoint);
	fault =
		sync_provider_json_template_fault(sync_kit_json_member(body, "value"),
										  endpoint->params,
										  grammar->fields);
	refuse_if(fault != NULL,
			  grammar,
			  psprintf("Its body.value cannot be filled in. %s",
					   fault ? fault : ""),
			  NULL);
}

/*
 * Each kind of body needs its own.
 */
static void
check_kind(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	JsonbValue *body = endpoint->body;
	char *kind = sync_kit_json_string(body, "kind");
	ListCell *cell;

	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		refuse_if(kinds[i].needed[0] &&
					  sync_kit_json_lacks(body, kinds[i].needed),
				  grammar,
				  psprintf("Its body has no %s, which kind %s needs.",
						   kinds[i].needed,
						   kind),
				  NULL);
		foreach(cell, sync_kit_json_members(body))
		{
			const char *name = ((SyncJsonMember *) lfirst(cell))->name;

			refuse_if(strcmp(name, "kind") != 0 &&
						  !sync_provider_has_word(kinds[i].needed, name) &&
						  !sync_provider_has_word(kinds[i].allowed, name) &&
						  !(endpoint->takes_rows &&
							sync_provider_has_word(SAID_OF_ROWS, name)),
					  grammar,
					  psprintf("Its body has %s, which kind %s does not take.",
							   name,
							   kind),
					  NULL);
		}
	}
	refuse_if(!sync_kit_json_lacks(body, "value") && endpoint->takes_rows &&
				  sync_kit_json_lacks(body, "envelope") &&
				  strcmp(kind, "json") != 0,
			  grammar,
			  "Its body has a value, and no envelope to put the rows in beside it.",
			  NULL);
}

/*
 * What answers say of rows has to say of which.
 */
static void
check_answers(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	JsonbValue *body = endpoint->body;
	char *match = sync_kit_json_string(body, "match");
	bool by_key = match && strcmp(match, "key") == 0;

	refuse_if(by_key && (sync_kit_json_lacks(body, "items") ||
						 sync_kit_json_lacks(body, "key") ||
						 sync_kit_json_lacks(body, "by")),
			  grammar,
			  "Its body.match is \"key\", and it lacks items, key or by.",
			  "items: where the answer has something for each row; key: which row that is; by: the column of the row with the same value.");
	refuse_if(!by_key && !sync_kit_json_lacks(body, "key"),
			  grammar,
			  "Its body has a key to match rows by, and its match is not \"key\".",
			  NULL);
	refuse_if(!endpoint->one_by_one && sync_kit_json_lacks(body, "items") &&
				  !sync_kit_json_lacks(body, "failed") &&
				  sync_kit_json_lacks(body, "by"),
			  grammar,
			  "Its body.failed does not say which rows have failed.",
			  "With items, it is looked for in what the answer has for each row; with by, it lists the values of that column.");
	refuse_if(!endpoint->one_by_one && sync_kit_json_lacks(body, "items") &&
				  (!sync_kit_json_lacks(body, "duplicate") ||
				   !sync_kit_json_lacks(body, "message")),
			  grammar,
			  "Its body has duplicate or message, and no items to look for them in.",
			  NULL);
}

/*
 * Raise that a definition is not valid, where something is wrong.
 */
static void
refuse_if(bool wrong, SyncGrammar *grammar, const char *detail, const char *hint)
{
	if (wrong)
		sync_kit_refuse(grammar->subject, detail, hint);
}
