/*-------------------------------------------------------------------------
 *
 * partner_sql.c
 *	  The SQL face of race-timing partners.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "utils/lsyscache.h"

#include "kit/kit_arguments.h"
#include "kit/kit_result.h"
#include "partner/partner.h"

PG_FUNCTION_INFO_V1(sync_sql_create_provider_tables);

static char *current_schema(void);

/*
 * sync_create_provider_tables(provider text, schema text) RETURNS SETOF text
 */
Datum
sync_sql_create_provider_tables(PG_FUNCTION_ARGS)
{
	const char *provider = sync_kit_text_argument(fcinfo, 0);
	const char *schema = sync_kit_text_argument(fcinfo, 1);
	SyncResult *result = sync_kit_result_start(fcinfo, true);
	ListCell *cell;

	if (provider == NULL)
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("provider must not be null"));
	if (schema == NULL)
		schema = current_schema();
	foreach(cell, sync_partner_create_tables(provider, schema))
	{
		char *name = lfirst(cell);

		sync_kit_result_put(result, 1, &name);
	}
	sync_partner_create_views(schema);
	return (Datum) 0;
}

/*
 * The schema that new objects go into.
 */
static char *
current_schema(void)
{
	List *path = fetch_search_path(false);

	if (path == NIL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_SCHEMA),
				errmsg("no schema has been selected to create in"),
				errhint("Name one."));
	return get_namespace_name(linitial_oid(path));
}
