/*-------------------------------------------------------------------------
 *
 * provider_export.c
 *	  Providers and endpoints as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_export.h"

/*
 * Give the statements that make the providers and their endpoints, but for those
 * that are as they were shipped.  Credentials are no definitions, and secret.
 */
void
sync_provider_export(SyncRowSink sink, void *arg)
{
	sync_kit_export_table("sync_providers",
						  "provider_name COLLATE \"C\"",
						  sink,
						  arg);
	sync_kit_export_table("sync_endpoints",
						  "endpoint_name COLLATE \"C\"",
						  sink,
						  arg);
}
