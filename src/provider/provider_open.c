/*-------------------------------------------------------------------------
 *
 * provider_open.c
 *	  Opening a fetch: all that is read from tables, so that nothing needs to be
 *	  afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "kit/kit_spi.h"
#include "provider/provider_count.h"
#include "provider/provider_push.h"

#define DEPTH_MAX 5 /* of parents of parents */

static SyncFetch *open_fetch(const char *name,
							 JsonbValue *params,
							 SyncCredential *credential,
							 const int64 *tenant,
							 const char *since,
							 int depth);
static ParamListInfo parent_params(SyncFetch *fetch, const int64 *tenant);
static void open_parents(SyncFetch *fetch, const int64 *tenant, int depth);

/*
 * Open a fetch from an endpoint, in the current memory context.  "params" is
 * an object or NULL; "tenant" and "since" may be NULL.  Raises where the
 * endpoint cannot be asked for that.
 */
SyncFetch *
sync_provider_open(const char *endpoint,
				   JsonbValue *params,
				   const int64 *tenant,
				   const char *since)
{
	SyncFetch *fetch = open_fetch(endpoint, params, NULL, tenant, since, 0);

	if (fetch->endpoint->takes_rows)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("endpoint \"%s\" takes rows, and gives none", endpoint),
				errhint("Rows are pushed to it: see sync_create_push."));
	return fetch;
}

/*
 * Open an endpoint that is asked later, for this and that, with the credential
 * that another one uses (NULL: its own).
 */
SyncFetch *
sync_provider_open_shared(const char *endpoint,
						  const int64 *tenant,
						  SyncFetch *other)
{
	return open_fetch(endpoint,
					  NULL,
					  other ? other->credential : NULL,
					  tenant,
					  NULL,
					  -1);
}

/*
 * Open a fetch, or that of its parents, which shares its credential.  At a
 * depth of -1 it has no parameters yet.
 */
static SyncFetch *
open_fetch(const char *name,
		   JsonbValue *params,
		   SyncCredential *credential,
		   const int64 *tenant,
		   const char *since,
		   int depth)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sync fetch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SyncFetch *fetch = palloc0(sizeof(SyncFetch));
	ListCell *cell;

	if (depth > DEPTH_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("endpoint \"%s\" has too many parents", name),
				errhint("The parents of some endpoint might go round in a circle."));
	fetch->context = context;
	fetch->scratch =
		AllocSetContextCreate(context, "sync fetch step", ALLOCSET_SMALL_SIZES);
	fetch->sent = AllocSetContextCreate(context,
										"sync fetch request",
										ALLOCSET_DEFAULT_SIZES);
	fetch->page = AllocSetContextCreate(context,
										"sync fetched page",
										ALLOCSET_DEFAULT_SIZES);
	fetch->record = AllocSetContextCreate(context,
										  "sync fetched record",
										  ALLOCSET_DEFAULT_SIZES);
	fetch->parent_context = AllocSetContextCreate(context,
												  "sync fetch parent",
												  ALLOCSET_DEFAULT_SIZES);
	fetch->opened_at = GetCurrentTimestamp();
	fetch->endpoint = sync_provider_load_endpoint(name);
	if (credential &&
		strcmp(credential->provider, fetch->endpoint->provider->name) != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("endpoint \"%s\" belongs to provider \"%s\", not to \"%s\"",
					   name,
					   fetch->endpoint->provider->name,
					   credential->provider),
				errhint("Parents are fetched from the same provider; rows of another one can be read with parent.sql."));
	fetch->credential =
		credential
			? credential
			: sync_provider_load_credential(fetch->endpoint->provider, tenant);
	if (depth >= 0)
		fetch->scope.param =
			sync_provider_settle_params(fetch->endpoint, params);
	sync_provider_count_begin(fetch);
	fetch->scope.credential = fetch->credential->fields;
	fetch->scope.token = fetch->credential->token;
	fetch->scope.tenant = tenant ? psprintf(INT64_FORMAT, *tenant) : NULL;
	fetch->scope.since = since ? pstrdup(since) : NULL;
	if (since && fetch->endpoint->incremental == NULL && depth == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("endpoint \"%s\" cannot be asked for what is newer",
					   name),
				errdetail("It is not incremental."));
	foreach(cell, sync_kit_json_elements(fetch->endpoint->each))
	{
		char *constant = sync_kit_json_text(lfirst(cell));

		fetch->constants =
			lappend(fetch->constants, constant ? constant : pstrdup(""));
	}
	open_parents(fetch, tenant, depth);
	MemoryContextSwitchTo(caller);
	return fetch;
}

/*
 * Raise unless these are parameters that the endpoint has: an object, or NULL.
 */
void
sync_provider_check_params(SyncEndpoint *endpoint, JsonbValue *given)
{
	ListCell *cell;

	if (given && !sync_kit_json_is_object(given))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("parameters of an endpoint must be a JSON object"));
	foreach(cell, sync_kit_json_members(given))
	{
		const char *name = ((SyncJsonMember *) lfirst(cell))->name;

		if (!sync_kit_json_member(endpoint->params, name))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("endpoint \"%s\" has no parameter \"%s\"",
						   endpoint->name,
						   name),
					errhint("Column params of sync_endpoints has the names."));
	}
}

/*
 * The parameters as an object, with those that were left out.  Raises where
 * one is not declared, or is needed and not there.
 */
JsonbValue *
sync_provider_settle_params(SyncEndpoint *endpoint, JsonbValue *given)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	sync_provider_check_params(endpoint, given);
	sync_kit_json_begin(&state);
	foreach(cell, sync_kit_json_members(endpoint->params))
	{
		SyncJsonMember *declared = lfirst(cell);
		JsonbValue *value = sync_kit_json_member(given, declared->name);
		char *text = sync_kit_json_text(value);

		if (text == NULL || text[0] == '\0')
			value = sync_kit_json_member(declared->value, "default");
		if (value == NULL &&
			sync_kit_json_boolean(declared->value, "required", false))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("endpoint \"%s\" needs parameter \"%s\"",
						   endpoint->name,
						   declared->name));
		if (value == NULL)
			continue;
		sync_kit_json_put(&state, declared->name, value);
	}
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * Open where the parents come from.  Those of a query are read at once.
 */
static void
open_parents(SyncFetch *fetch, const int64 *tenant, int depth)
{
	JsonbValue *parent = fetch->endpoint->parent;
	char *name = sync_kit_json_string(parent, "endpoint");
	char *sql = sync_kit_json_string(parent, "sql");
	SyncRows *rows;

	if (name)
	{
		JsonbParseState *state = NULL;
		JsonbValue *templates = sync_kit_json_member(parent, "params");
		ListCell *cell;

		sync_kit_json_begin(&state);
		foreach(cell, sync_kit_json_members(templates))
		{
			SyncJsonMember *member = lfirst(cell);
			const char *missing;
			char *value =
				sync_provider_expand(sync_kit_json_text(member->value),
									 &fetch->scope,
									 SYNC_ENCODE_NOT,
									 &missing);

			sync_kit_json_put(&state,
							  member->name,
							  sync_kit_json_new_text(missing ? NULL : value));
		}
		fetch->parent =
			open_fetch(name,
					   sync_kit_json_value(sync_kit_json_end(&state)),
					   fetch->credential,
					   tenant,
					   NULL,
					   depth + 1);
	}
	if (sql == NULL)
		return;
	rows = sync_kit_rows_create();
	sync_kit_spi_run(psprintf("SELECT pg_catalog.to_jsonb(parent) FROM (\n%s\n) AS parent",
							  sql),
					 parent_params(fetch, tenant),
					 true,
					 sync_kit_rows_collect,
					 rows);
	for (int i = 0; i < rows->nrows; i++)
		fetch->parents =
			lappend(fetch->parents,
					sync_kit_json_value(sync_kit_json_parse(rows->rows[i][0])));
}

/*
 * What a query for parents may name: the tenant as $1 and the parameters as $2.
 */
static ParamListInfo
parent_params(SyncFetch *fetch, const int64 *tenant)
{
	ParamListInfo params = makeParamList(2);

	if (tenant)
		sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(*tenant));
	else
		sync_kit_set_null(params, 0, INT8OID);
	sync_kit_set_param(params,
					   1,
					   JSONBOID,
					   JsonbPGetDatum(sync_kit_json_of(fetch->scope.param)));
	return params;
}
