/*-------------------------------------------------------------------------
 *
 * partner_tables.c
 *	  Tables for what providers give, a table an endpoint.
 *
 * A table has the columns of its endpoint, in types that follow from how they
 * are converted, before them the tenant, after them when the row was written.
 * They are made by the caller, and are the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "flow/flow.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "partner/partner.h"
#include "provider/provider.h"

/* The columns that tables for provider $1 in schema $2 are to have */
#define WANTED                                                                 \
	"WITH wanted AS ("                                                         \
	" SELECT e.endpoint_name AS name, e.description, c.key AS column_name,"    \
	"  k.position AS key_position,"                                            \
	"  CASE c.value ->> 'convert' WHEN 'boolean' THEN 'bool'"                  \
	"   WHEN 'number' THEN 'numeric' WHEN 'json' THEN 'jsonb'"                 \
	"   WHEN 'epoch' THEN 'timestamptz' WHEN 'epoch_ms' THEN 'timestamptz'"    \
	"   WHEN 'time' THEN 'timestamptz' WHEN 'duration' THEN 'interval'"        \
	"   WHEN 'duration_ms' THEN 'interval' ELSE 'text' END AS type,"           \
	"  r.oid AS relid"                                                         \
	" FROM @extschema@.sync_feeds AS e"                                        \
	" CROSS JOIN LATERAL jsonb_each(e.columns) AS c"                           \
	" LEFT JOIN LATERAL unnest(e.key) WITH ORDINALITY AS k (name, position)"   \
	"  ON k.name = c.key"                                                      \
	" LEFT JOIN pg_class AS r ON r.relname = e.endpoint_name"                  \
	"  AND r.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2)" \
	" WHERE e.provider_name = $1 AND e.push_query IS NULL"                     \
	"  AND c.key NOT IN ('timing_partner_id', 'fetched_date')) "

/* One a statement: the table, the statement, whether it makes the table */
static const char compose_tables[] = WANTED
	"SELECT name, format('CREATE TABLE %I.%I (timing_partner_id pg_catalog.int8, %s,"
	" fetched_date pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),"
	" PRIMARY KEY (timing_partner_id, %s))', $2::text, name,"
	" string_agg(format('%I pg_catalog.%s', column_name, type), ', '"
	"  ORDER BY key_position NULLS LAST, column_name COLLATE \"C\"),"
	" string_agg(quote_ident(column_name), ', ' ORDER BY key_position)"
	"  FILTER (WHERE key_position IS NOT NULL)) AS statement, 1 AS step"
	" FROM wanted WHERE relid IS NULL GROUP BY name"
	" UNION ALL "
	"SELECT name, format('COMMENT ON TABLE %I.%I IS %L', $2::text, name,"
	" min(description)), 2"
	" FROM wanted WHERE relid IS NULL GROUP BY name"
	" UNION ALL "
	"SELECT name, format('ALTER TABLE %I.%I %s', $2::text, name,"
	" string_agg(format('ADD COLUMN %I pg_catalog.%s', column_name, type), ', '"
	"  ORDER BY column_name COLLATE \"C\")), 3"
	" FROM wanted WHERE relid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a"
	"  WHERE a.attrelid = relid AND a.attname = column_name AND NOT a.attisdropped)"
	" GROUP BY name"
	" ORDER BY 1, 3";

/* The feeds of provider $1: name, table in schema $2, mode of the stream */
static const char list_feeds[] =
	"SELECT e.endpoint_name, format('%I.%I', $2::text, e.endpoint_name),"
	" CASE WHEN e.snapshot THEN 'mirror' ELSE 'upsert' END"
	" FROM @extschema@.sync_feeds AS e"
	" WHERE e.provider_name = $1 AND e.push_query IS NULL ORDER BY 1";

static void create_streams(const char *provider, const char *schema);
static void check_provider(const char *provider);

/*
 * Make the tables of a provider in a schema, as the current user; a table that
 * is there already is given the columns that it lacks.  Returns the names of
 * those that were made, in the current memory context.  Raises where there is
 * no such provider, or nothing of it is kept.
 */
List *
sync_partner_create_tables(const char *provider, const char *schema)
{
	const char *values[] = {provider, schema};
	List *made = NIL;
	SyncRows *statements;

	(void) get_namespace_oid(schema, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	check_provider(provider);
	statements =
		sync_kit_spi_rows_own(compose_tables,
							  sync_kit_text_params(lengthof(values), values));
	for (int i = 0; i < statements->nrows; i++)
	{
		char **row = statements->rows[i];

		sync_kit_spi_run(row[1], NULL, false, NULL, NULL);
		if (strcmp(row[2], "1") == 0)
			made = lappend(made, row[0]);
	}
	create_streams(provider, schema);
	PopActiveSnapshot();
	return made;
}

/*
 * Declare the streams that fill the tables, each named as its endpoint, but for
 * those that are declared already.  A row that cannot be used does not hold up
 * the others.
 */
static void
create_streams(const char *provider, const char *schema)
{
	const char *values[] = {provider, schema};
	SyncRows *feeds =
		sync_kit_spi_rows_own(list_feeds,
							  sync_kit_text_params(lengthof(values), values));
	char *create =
		sync_kit_bind_schema("SELECT @extschema@.sync_create_stream(name => $1, target => $2,"
							 " mode => $3, endpoint => $1, tenant_column => 'timing_partner_id',"
							 " synced_at => 'fetched_date', max_rejects => 1000000,"
							 " max_reject_share => 0.5)");

	for (int i = 0; i < feeds->nrows; i++)
		if (!sync_flow_exists(feeds->rows[i][0]))
			sync_kit_spi_run(create,
							 sync_kit_text_params(3,
												  (const char **)
													  feeds->rows[i]),
							 false,
							 NULL,
							 NULL);
}

/*
 * Raise unless something of a provider is kept.
 */
static void
check_provider(const char *provider)
{
	(void) sync_provider_load(provider);
	if (sync_kit_spi_rows_own("SELECT FROM @extschema@.sync_feeds"
							  " WHERE provider_name = $1 LIMIT 1",
							  sync_kit_text_params(1, &provider))
			->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("nothing of provider \"%s\" is kept in tables",
					   provider),
				errdetail("None of its endpoints has a feed."),
				errhint("Set sync_endpoints.feed of those whose records are to be kept."));
}
