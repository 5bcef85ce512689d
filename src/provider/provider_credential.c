/*-------------------------------------------------------------------------
 *
 * provider_credential.c
 *	  sync_credentials: what tenants are known by, sealed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "kit/kit_cipher.h"
#include "kit/kit_hex.h"
#include "kit/kit_spi.h"
#include "provider/provider_secret.h"

static void check_fields(SyncProvider *provider, JsonbValue *fields);
static char *purpose(int64 tenant, const char *provider, const char *kind);
static JsonbValue *unseal_object(char *sealed,
								 const char *what_for,
								 const char *key_id,
								 const char *subject);

/*
 * Store the credential of a tenant for a provider; NULL removes it.
 */
void
sync_provider_set_credential(int64 tenant,
							 SyncProvider *provider,
							 JsonbValue *fields)
{
	ParamListInfo params = makeParamList(5);
	List *members;
	ListCell *cell;
	Datum *names;
	char *key_id;
	bytea *sealed;

	sync_kit_set_param(params, 0, INT8OID, Int64GetDatum(tenant));
	sync_kit_set_param(params, 1, TEXTOID, CStringGetTextDatum(provider->name));
	if (fields == NULL)
	{
		params->numParams = 2;
		sync_kit_spi_run_own("DELETE FROM @extschema@.sync_credentials"
							 " WHERE timing_partner_id = $1 AND provider_name = $2",
							 params,
							 false,
							 NULL,
							 NULL);
		return;
	}

	check_fields(provider, fields);
	sealed = sync_kit_seal(sync_kit_json_text(fields),
						   purpose(tenant, provider->name, "fields"),
						   &key_id);
	members = sync_kit_json_members(fields);
	names = palloc(list_length(members) * sizeof(Datum));
	foreach(cell, members)
		names[foreach_current_index(cell)] =
			CStringGetTextDatum(((SyncJsonMember *) lfirst(cell))->name);
	sync_kit_set_texts(&params->params[2], list_length(members), names, NULL);
	sync_kit_set_param(params, 3, TEXTOID, CStringGetTextDatum(key_id));
	sync_kit_set_param(params, 4, BYTEAOID, PointerGetDatum(sealed));
	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_credentials"
						 " (timing_partner_id, provider_name, fields, key_id, sealed)"
						 " VALUES ($1, $2, $3, $4, $5)"
						 " ON CONFLICT (timing_partner_id, provider_name) DO UPDATE"
						 " SET fields = excluded.fields, key_id = excluded.key_id,"
						 " sealed = excluded.sealed, sealed_token = NULL,"
						 " changed_at = pg_catalog.now()",
						 params,
						 false,
						 NULL,
						 NULL);
}

/*
 * Load the credential of a tenant; NULL: of none.  Raises where the tenant has
 * none for that provider, or it cannot be opened.
 */
SyncCredential *
sync_provider_load_credential(SyncProvider *provider, const int64 *tenant)
{
	SyncCredential *credential = palloc0(sizeof(SyncCredential));
	const char *subject;
	const char *values[2];
	SyncRows *rows;
	char **row;

	credential->provider = provider->name;
	credential->origin = "";
	if (tenant == NULL)
		return credential;
	credential->has_tenant = true;
	credential->tenant = *tenant;
	values[0] = psprintf(INT64_FORMAT, *tenant);
	values[1] = provider->name;
	if (provider->credential_fields == NIL)
		return credential;

	rows =
		sync_kit_spi_rows_own("SELECT key_id, encode(sealed, 'hex'), encode(sealed_token, 'hex'), active"
							  " FROM @extschema@.sync_credentials"
							  " WHERE timing_partner_id = $1::bigint AND provider_name = $2",
							  sync_kit_text_params(2, values));
	if (rows->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("timing partner " INT64_FORMAT
					   " has no credential for provider \"%s\"",
					   *tenant,
					   provider->name),
				errhint("Store one with sync_set_credential."));
	row = rows->rows[0];
	if (row[3][0] != 't')
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the credential of timing partner " INT64_FORMAT
					   " for provider \"%s\" is not active",
					   *tenant,
					   provider->name));

	subject = psprintf("the credential of timing partner " INT64_FORMAT
					   " for provider \"%s\"",
					   *tenant,
					   provider->name);
	credential->origin = pstrdup(row[1]);
	credential->fields =
		unseal_object(row[1],
					  purpose(*tenant, provider->name, "fields"),
					  row[0],
					  subject);
	if (row[2])
		credential->token =
			unseal_object(row[2],
						  purpose(*tenant, provider->name, "token"),
						  row[0],
						  subject);
	return credential;
}

/*
 * Store a token beside the credential that it was given for, where this
 * transaction may write.  Raises nothing where the credential was changed
 * meanwhile, and waits for nobody who is changing it.
 */
void
sync_provider_store_token(SyncCredential *credential, const char *token)
{
	const char *values[4];
	char *key_id;
	bytea *sealed;

	if (!credential->has_tenant || !IsTransactionState() || XactReadOnly ||
		RecoveryInProgress())
		return;
	sealed =
		sync_kit_seal(token,
					  purpose(credential->tenant, credential->provider, "token"),
					  &key_id);
	values[0] = psprintf(INT64_FORMAT, credential->tenant);
	values[1] = credential->provider;
	values[2] =
		TextDatumGetCString(DirectFunctionCall2(binary_encode,
												PointerGetDatum(sealed),
												CStringGetTextDatum("hex")));
	values[3] = credential->origin;
	sync_kit_spi_run_own("UPDATE @extschema@.sync_credentials"
						 " SET sealed_token = decode($3, 'hex')"
						 " WHERE (timing_partner_id, provider_name) IN"
						 " (SELECT timing_partner_id, provider_name"
						 " FROM @extschema@.sync_credentials"
						 " WHERE timing_partner_id = $1::bigint"
						 " AND provider_name = $2 AND sealed = decode($4, 'hex')"
						 " FOR NO KEY UPDATE SKIP LOCKED)",
						 sync_kit_text_params(4, values),
						 false,
						 NULL,
						 NULL);
}

/*
 * The token that is stored beside a credential by now; NULL: none is, or the
 * credential was changed.
 */
JsonbValue *
sync_provider_stored_token(SyncCredential *credential)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, credential->tenant),
		credential->provider,
		credential->origin,
	};
	SyncRows *rows;

	if (!credential->has_tenant)
		return NULL;
	rows =
		sync_kit_spi_rows_own("SELECT key_id, encode(sealed_token, 'hex')"
							  " FROM @extschema@.sync_credentials"
							  " WHERE timing_partner_id = $1::bigint"
							  " AND provider_name = $2 AND sealed = decode($3, 'hex')"
							  " AND sealed_token IS NOT NULL",
							  sync_kit_text_params(lengthof(values), values));
	if (rows->nrows == 0)
		return NULL;
	return unseal_object(rows->rows[0][1],
						 purpose(credential->tenant,
								 credential->provider,
								 "token"),
						 rows->rows[0][0],
						 psprintf("the token of timing partner " INT64_FORMAT
								  " for provider \"%s\"",
								  credential->tenant,
								  credential->provider));
}

/*
 * Raise where a credential is not what its provider wants.  No value is named,
 * as it may be a secret.
 */
static void
check_fields(SyncProvider *provider, JsonbValue *fields)
{
	ListCell *cell;

	if (!sync_kit_json_is_object(fields) ||
		sync_kit_json_members(fields) == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a credential must be a JSON object with fields"));
	foreach(cell, sync_kit_json_members(fields))
	{
		SyncJsonMember *member = lfirst(cell);
		bool found = false;
		ListCell *field;

		foreach(field, provider->credential_fields)
			found |= strcmp(lfirst(field), member->name) == 0;
		if (!found)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("provider \"%s\" has no credential field \"%s\"",
						   provider->name,
						   member->name),
					errhint("Column credential_fields of sync_providers has the names."));
		if (!IsAJsonbScalar(member->value) || member->value->type == jbvNull)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("credential field \"%s\" must be a text, a number or a boolean",
						   member->name));
	}
}

/*
 * What a secret is for, which its seal covers.
 */
static char *
purpose(int64 tenant, const char *provider, const char *kind)
{
	return psprintf(INT64_FORMAT "/%s/%s", tenant, provider, kind);
}

/*
 * Open a sealed object.
 */
static JsonbValue *
unseal_object(char *sealed,
			  const char *what_for,
			  const char *key_id,
			  const char *subject)
{
	return sync_kit_json_value(sync_kit_json_parse(sync_kit_unseal(
		sync_kit_hex_read(sealed),
		what_for,
		key_id,
		subject,
		"sync_set_credential")));
}
