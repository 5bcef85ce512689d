/*-------------------------------------------------------------------------
 *
 * partner_push.c
 *	  What is pushed to providers: participants to those who time them, results
 *	  to those who publish them, once somebody has approved them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "partner/partner.h"
#include "push/push.h"

/* The pushes of provider $1, of rows in schema $2: name, query, key, parameters */
static const char list_pushes[] =
	"SELECT f.endpoint_name,"
	" replace(replace(f.push_query, '{schema}', quote_ident($2)), '{extension}', $3),"
	" (SELECT array_agg(k.name ORDER BY k.position)"
	"  FROM jsonb_array_elements_text(f.push_key) WITH ORDINALITY AS k (name, position)),"
	" f.param_columns"
	" FROM @extschema@.sync_feeds AS f"
	" WHERE f.provider_name = $1 AND f.push_query IS NOT NULL ORDER BY 1";

/*
 * Declare the pushes of a provider, each named as its endpoint, but for those
 * that are declared already.
 */
void
sync_partner_create_pushes(const char *provider, const char *schema)
{
	const char *values[] = {
		provider,
		schema,
		sync_kit_bind_schema("@extschema@"),
	};
	SyncRows *pushes =
		sync_kit_spi_rows_own(list_pushes,
							  sync_kit_text_params(lengthof(values), values));
	char *create =
		sync_kit_bind_schema("SELECT @extschema@.sync_create_push(name => $1, endpoint => $1,"
							 " query => $2, key => $3::text[], param_columns => $4::jsonb,"
							 " tenant_column => 'timing_partner_id')");

	for (int i = 0; i < pushes->nrows; i++)
		if (!sync_push_exists(pushes->rows[i][0]))
			sync_kit_spi_run(create,
							 sync_kit_text_params(4,
												  (const char **)
													  pushes->rows[i]),
							 false,
							 NULL,
							 NULL);
}

/*
 * Approve what results there are of an event of a registration provider: those
 * of the events linked to it.  "by" is who does.  Raises where none is.
 */
void
sync_partner_approve(const char *tenant,
					 const char *provider,
					 const char *event,
					 const char *by)
{
	const char *values[] = {tenant, provider, event, by};

	if (sync_kit_spi_run_own("UPDATE @extschema@.sync_links"
							 " SET approved_at = clock_timestamp(), approved_by = $4"
							 " WHERE timing_partner_id = $1::bigint AND provider_name = $2 AND event_id = $3",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("event \"%s\" of provider \"%s\" is not linked to one whose results could be approved",
					   event,
					   provider),
				errhint("Link it first: SELECT sync_link_events(%s, %s, %s, ...).",
						tenant,
						quote_literal_cstr(provider),
						quote_literal_cstr(event)));
}
