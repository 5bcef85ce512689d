/*-------------------------------------------------------------------------
 *
 * provider_sql.c
 *	  The SQL face of providers: arguments in, records out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pgstat.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "kit/kit_arguments.h"
#include "kit/kit_cipher.h"
#include "provider/provider.h"
#include "provider/provider_secret.h"

PG_FUNCTION_INFO_V1(sync_sql_fetch);
PG_FUNCTION_INFO_V1(sync_sql_providers_check);
PG_FUNCTION_INFO_V1(sync_sql_set_credential);
PG_FUNCTION_INFO_V1(sync_sql_test_credential);

/*
 * sync_fetch(endpoint text, params jsonb, max_rows integer,
 *		timing_partner_id bigint, since text) RETURNS SETOF jsonb
 */
Datum
sync_sql_fetch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *endpoint = sync_kit_text_argument(fcinfo, 0);
	JsonbValue *params =
		PG_ARGISNULL(1) ? NULL : sync_kit_json_value(PG_GETARG_JSONB_P(1));
	int64 left = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT32(2);
	int64 tenant = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	SyncFetch *fetch;
	Jsonb *record;

	if (left < 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("max_rows must not be negative: %d",
					   PG_GETARG_INT32(2)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	fetch = sync_provider_open(endpoint,
							   params,
							   PG_ARGISNULL(3) ? NULL : &tenant,
							   sync_kit_text_argument(fcinfo, 4));
	while (left-- > 0 && (record = sync_provider_next(fetch)) != NULL)
	{
		Datum value = JsonbPGetDatum(record);
		bool isnull = false;

		tuplestore_putvalues(info->setResult, info->setDesc, &value, &isnull);
	}
	sync_provider_close(fetch);
	return (Datum) 0;
}

/*
 * sync_providers_check() RETURNS trigger
 */
Datum
sync_sql_providers_check(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("sync_providers_check can only be called as a trigger"));
	return PointerGetDatum(sync_provider_check_row((TriggerData *)
													   fcinfo->context));
}

/*
 * sync_set_credential(timing_partner_id bigint, provider text,
 *		credential jsonb) RETURNS void
 *
 * The statement has the secret in it: it is taken out of pg_stat_activity, and
 * kept out of the log where it fails.
 */
Datum
sync_sql_set_credential(PG_FUNCTION_ARGS)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = sync_kit_hide_statement,
	};
	SyncProvider *provider;

	error_context_stack = &frame;
	pgstat_report_activity(STATE_RUNNING, "SELECT sync_set_credential(...)");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("timing_partner_id must not be NULL"));
	provider = sync_provider_load(sync_kit_text_argument(fcinfo, 1));
	sync_provider_set_credential(PG_GETARG_INT64(0),
								 provider,
								 PG_ARGISNULL(2)
									 ? NULL
									 : sync_kit_json_value(PG_GETARG_JSONB_P(2)));
	error_context_stack = frame.previous;
	PG_RETURN_VOID();
}

/*
 * sync_test_credential(timing_partner_id bigint, provider text) RETURNS text
 */
Datum
sync_sql_test_credential(PG_FUNCTION_ARGS)
{
	int64 tenant = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	SyncProvider *provider =
		sync_provider_load(sync_kit_text_argument(fcinfo, 1));
	const SyncFetchCounts *counts;
	SyncFetch *fetch;

	if (provider->test_endpoint == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("provider \"%s\" has no endpoint to test a credential with",
					   provider->name),
				errhint("Name one in column test_endpoint of sync_providers."));
	fetch = sync_provider_open(provider->test_endpoint,
							   NULL,
							   PG_ARGISNULL(0) ? NULL : &tenant,
							   NULL);
	(void) sync_provider_next(fetch);
	counts = sync_provider_counts(fetch);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(
		"provider \"%s\" accepts it: endpoint \"%s\" gave " INT64_FORMAT " %s",
		provider->name,
		provider->test_endpoint,
		counts->records,
		counts->records == 1 ? "record" : "records")));
}
