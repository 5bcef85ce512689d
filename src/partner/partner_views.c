/*-------------------------------------------------------------------------
 *
 * partner_views.c
 *	  Views over the tables of all providers in a schema: unified_events,
 *	  unified_participants, unified_results.
 *
 * They have the same columns whatever providers there are; what a provider does
 * not give is NULL.  Whoever reads them needs the right to read the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "partner/partner.h"

/* Columns of the views, between whose a row is and when it was written */
#define VIEWS                                                                          \
	"(VALUES ('event_discovery', 'unified_events',"                                    \
	"  '{event_id,name,starts_at,time_zone,city,country}'::text[]),"                   \
	" ('participants', 'unified_participants',"                                        \
	"  '{event_id,sub_event,participant_id,bib,first_name,last_name,email,birth_date," \
	"gender,team_name,city,country,cancelled}'),"                                      \
	" ('results', 'unified_results',"                                                  \
	"  '{event_id,sub_event,bib,first_name,last_name,gender,category,place,"           \
	"gender_place,chip_time,clock_time,status}'))"                                     \
	" AS v (operation, view, names)"                                                   \
	" CROSS JOIN LATERAL unnest(v.names) WITH ORDINALITY AS c (name, position)"

#define TYPE                                                            \
	"CASE c.name WHEN 'cancelled' THEN 'bool' WHEN 'place' THEN 'int4'" \
	" WHEN 'gender_place' THEN 'int4' WHEN 'chip_time' THEN 'interval'" \
	" WHEN 'clock_time' THEN 'interval' ELSE 'text' END"

/* A view a row: its name, and the statement that makes it, in schema $1 */
static const char compose_views[] =
	"SELECT view, format('CREATE OR REPLACE VIEW %I.%I WITH (security_invoker = true) AS %s',"
	" $1::text, view, string_agg(part, ' UNION ALL ' ORDER BY endpoint_name COLLATE \"C\"))"
	" FROM (SELECT v.view, e.endpoint_name,"
	"  format('SELECT timing_partner_id, %L::pg_catalog.text AS provider_name, %s, fetched_date FROM %I.%I WHERE %s',"
	"   e.provider_name,"
	"   string_agg(format('(%s)::pg_catalog.%s AS %I',"
	"    coalesce(e.unified ->> c.name, 'NULL'), " TYPE ", c.name),"
	"    ', ' ORDER BY c.position),"
	"   $1::text, e.endpoint_name, e.condition) AS part"
	"  FROM " VIEWS "  JOIN @extschema@.sync_feeds AS e"
	"   ON e.operation = v.operation AND e.unified IS NOT NULL"
	"  JOIN pg_class AS r ON r.relname = e.endpoint_name AND r.relkind IN ('r', 'p', 'f')"
	"   AND r.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)"
	"  GROUP BY v.view, e.endpoint_name, e.provider_name, e.condition) AS parts"
	" GROUP BY view ORDER BY view";

/*
 * Make the unified views over what tables of providers there are in a schema,
 * as the current user.  Returns their names, in the current memory context.
 */
List *
sync_partner_create_views(const char *schema)
{
	List *made = NIL;
	SyncRows *views;

	PushActiveSnapshot(GetTransactionSnapshot());
	views =
		sync_kit_spi_rows_own(compose_views, sync_kit_text_params(1, &schema));
	for (int i = 0; i < views->nrows; i++)
	{
		sync_kit_spi_run(views->rows[i][1], NULL, false, NULL, NULL);
		made = lappend(made, views->rows[i][0]);
	}
	PopActiveSnapshot();
	return made;
}
