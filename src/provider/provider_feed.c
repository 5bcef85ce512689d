/*-------------------------------------------------------------------------
 *
 * provider_feed.c
 *	  Whom something is fetched for, by the feeds of endpoints.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_spi.h"
#include "provider/provider_feed.h"

/*
 * The active credentials of providers that have feeds, a row of tenant,
 * provider and operation each; of one tenant, of one provider, for one
 * operation, or, where that is NULL, of all.  Lives in the current memory
 * context.
 */
SyncRows *
sync_provider_customers(const char *tenant,
						const char *provider,
						const char *operation)
{
	const char *values[] = {tenant, provider, operation};

	return sync_kit_spi_rows_own(
		"SELECT DISTINCT c.timing_partner_id, c.provider_name, f.operation"
		" FROM @extschema@.sync_credentials AS c"
		" JOIN @extschema@.sync_feeds AS f ON f.provider_name = c.provider_name"
		" WHERE c.active AND c.timing_partner_id = coalesce($1::bigint, c.timing_partner_id)"
		" AND c.provider_name = coalesce($2, c.provider_name)"
		" AND f.operation = coalesce($3, f.operation)"
		" ORDER BY 1, 2, 3",
		sync_kit_text_params(lengthof(values), values));
}
