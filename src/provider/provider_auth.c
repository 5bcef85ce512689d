/*-------------------------------------------------------------------------
 *
 * provider_auth.c
 *	  Who asks: the schemes of a provider, put into a request.
 *
 * Every value that comes from a credential is noted as a secret of the request,
 * in the form in which it is sent as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_fetch.h"

static bool is_complete(SyncFetch *fetch, JsonbValue *scheme);
static bool has_all(SyncFetch *fetch, JsonbValue *templates);
static void report_missing(SyncFetch *fetch, const char *missing);

/*
 * Put all schemes into a request.  Raises where a field of the credential is
 * needed and not there.
 */
void
sync_provider_authenticate(SyncFetch *fetch,
						   SyncUrl *url,
						   SyncHttpRequest *request)
{
	ListCell *cell;

	foreach(cell, fetch->endpoint->provider->auth)
	{
		JsonbValue *scheme = lfirst(cell);
		JsonbValue *basic = sync_kit_json_member(scheme, "basic");
		ListCell *member;

		if (sync_kit_json_boolean(scheme, "optional", false) &&
			!is_complete(fetch, scheme))
			continue;
		foreach(member,
				sync_kit_json_members(sync_kit_json_member(scheme, "query")))
		{
			SyncJsonMember *given = lfirst(member);

			sync_provider_url_add(
				url,
				given->name,
				sync_provider_expand_secret(fetch,
											sync_kit_json_text(given->value),
											&request->secrets));
		}
		foreach(member,
				sync_kit_json_members(sync_kit_json_member(scheme, "headers")))
		{
			SyncJsonMember *given = lfirst(member);

			sync_provider_add_header(
				&request->headers,
				given->name,
				sync_provider_expand_secret(fetch,
											sync_kit_json_text(given->value),
											&request->secrets));
		}
		if (basic)
			sync_provider_add_header(&request->headers,
									 "Authorization",
									 sync_provider_basic(fetch,
														 basic,
														 &request->secrets));
	}
}

/*
 * The value of a header Authorization with a user and a password.
 */
char *
sync_provider_basic(SyncFetch *fetch, JsonbValue *basic, List **secrets)
{
	JsonbParseState *state = NULL;
	SyncScope scope = {0};
	char *value;
	const char *missing;
	char *pair =
		psprintf("%s:%s",
				 sync_provider_expand_secret(fetch,
											 sync_kit_json_string(basic, "user"),
											 secrets),
				 sync_provider_expand_secret(fetch,
											 sync_kit_json_string(basic,
																  "password"),
											 secrets));

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(&state, WJB_KEY, sync_kit_json_new_text("pair"));
	(void) pushJsonbValue(&state, WJB_VALUE, sync_kit_json_new_text(pair));
	scope.param =
		sync_kit_json_value(JsonbValueToJsonb(pushJsonbValue(&state,
															 WJB_END_OBJECT,
															 NULL)));
	value = sync_provider_expand("{param.pair|base64}",
								 &scope,
								 SYNC_ENCODE_NOT,
								 &missing);
	*secrets = lappend(*secrets, value);
	return psprintf("Basic %s", value);
}

/*
 * Fill in a template of auth, and note what it gives as a secret.  Raises
 * where something is missing.
 */
char *
sync_provider_expand_secret(SyncFetch *fetch, const char *text, List **secrets)
{
	const char *missing;
	char *value =
		sync_provider_expand(text, &fetch->scope, SYNC_ENCODE_NOT, &missing);

	if (missing)
		report_missing(fetch, missing);
	if (strchr(text, '{'))
	{
		*secrets = lappend(*secrets, value);
		*secrets = lappend(*secrets, sync_http_encode(value));
	}
	return value;
}

/*
 * All values of the credential and of its token.
 */
List *
sync_provider_secrets(SyncFetch *fetch)
{
	List *secrets = NIL;
	List *members = list_concat(sync_kit_json_members(fetch->scope.credential),
								sync_kit_json_members(fetch->scope.token));
	ListCell *cell;

	foreach(cell, members)
	{
		char *value =
			sync_kit_json_text(((SyncJsonMember *) lfirst(cell))->value);

		if (value)
		{
			secrets = lappend(secrets, value);
			secrets = lappend(secrets, sync_http_encode(value));
		}
	}
	return secrets;
}

/*
 * Has the credential all that a scheme sends?
 */
static bool
is_complete(SyncFetch *fetch, JsonbValue *scheme)
{
	return has_all(fetch, sync_kit_json_member(scheme, "query")) &&
		   has_all(fetch, sync_kit_json_member(scheme, "headers")) &&
		   has_all(fetch, sync_kit_json_member(scheme, "basic"));
}

/*
 * Have all templates of an object their values?
 */
static bool
has_all(SyncFetch *fetch, JsonbValue *templates)
{
	ListCell *cell;

	foreach(cell, sync_kit_json_members(templates))
	{
		SyncJsonMember *member = lfirst(cell);
		const char *missing;

		(void) sync_provider_expand(sync_kit_json_text(member->value),
									&fetch->scope,
									SYNC_ENCODE_NOT,
									&missing);
		if (missing)
			return false;
	}
	return true;
}

/*
 * Raise that it cannot be said who asks.
 */
static void
report_missing(SyncFetch *fetch, const char *missing)
{
	SyncCredential *credential = fetch->credential;

	if (!credential->has_tenant)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("provider \"%s\" has to be asked with a credential",
					   credential->provider),
				errhint("Name a tenant with timing_partner_id."));
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("the credential of timing partner " INT64_FORMAT
				   " for provider \"%s\" is not complete",
				   credential->tenant,
				   credential->provider),
			errdetail("It has no %s.", missing),
			errhint("Store all of it with sync_set_credential."));
}
