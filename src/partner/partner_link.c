/*-------------------------------------------------------------------------
 *
 * partner_link.c
 *	  sync_links: which event of a registration provider is which event of a
 *	  scoring provider, and whether its results may be published.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_spi.h"
#include "partner/partner.h"

/*
 * Store a link, "values" as the columns of sync_links are ordered; one that is
 * there is given the parameters anew, and has to be approved anew.
 */
void
sync_partner_link(const char **values)
{
	sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_links AS l (timing_partner_id, provider_name,"
		" event_id, scoring_provider, scoring_event_id, params, scoring_params)"
		" VALUES ($1::bigint, $2, $3, $4, $5, $6::jsonb, $7::jsonb)"
		" ON CONFLICT ON CONSTRAINT sync_links_pkey DO UPDATE"
		" SET params = excluded.params, scoring_params = excluded.scoring_params,"
		" approved_at = NULL, approved_by = NULL"
		" WHERE (l.params, l.scoring_params) <> (excluded.params, excluded.scoring_params)",
		sync_kit_text_params(7, values),
		false,
		NULL,
		NULL);
}

/*
 * Remove a link, named by the first five columns.  Returns whether there was
 * one.
 */
bool
sync_partner_unlink(const char **values)
{
	return sync_kit_spi_run_own("DELETE FROM @extschema@.sync_links"
								" WHERE timing_partner_id = $1::bigint AND provider_name = $2"
								" AND event_id = $3 AND scoring_provider = $4 AND scoring_event_id = $5",
								sync_kit_text_params(5, values),
								false,
								NULL,
								NULL) > 0;
}

/*
 * The linked events of a scoring provider, or that one event: what it is to be
 * asked for, with the event as the parameter "name", and the event.  Lives in
 * the current memory context.
 */
SyncRows *
sync_partner_links(int64 tenant,
				   const char *provider,
				   const char *name,
				   const char *event)
{
	const char *values[] = {
		psprintf(INT64_FORMAT, tenant),
		provider,
		name,
		event,
	};

	return sync_kit_spi_rows_own(
		"SELECT DISTINCT scoring_params || jsonb_build_object($3, scoring_event_id), scoring_event_id"
		" FROM @extschema@.sync_links"
		" WHERE timing_partner_id = $1::bigint AND scoring_provider = $2"
		" AND scoring_event_id = coalesce($4, scoring_event_id) ORDER BY 1, 2",
		sync_kit_text_params(lengthof(values), values));
}
