/*-------------------------------------------------------------------------
 *
 * progress_site.c
 *	  Where reconciliation runs: this database, or a foreign server.
 *
 * The same statements run on both, so that the other server needs the tables
 * and not the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

/*
 * How reports and history call the site.
 */
const char *
sync_progress_site_name(const char *environment)
{
	return environment ? environment : sync_guc_environment;
}

/*
 * Open the site that "environment" names; NULL is this database.  What is
 * open is closed by sync_progress_close_site or by the end of the transaction.
 */
void
sync_progress_open_site(SyncSite *site, const char *environment, bool writes)
{
	site->writes = writes;
	site->name = pstrdup(sync_progress_site_name(environment));
	site->remote = environment ? sync_remote_begin(environment, !writes) : NULL;
}

/*
 * Close a site that was only read.
 */
void
sync_progress_close_site(SyncSite *site)
{
	if (site->remote)
		sync_remote_close(site->remote);
	site->remote = NULL;
}

/*
 * Run one statement with the caller's rights and hand each row to "sink".
 * Parameters work in this database only.
 */
void
sync_progress_site_run(SyncSite *site,
					   const char *sql,
					   ParamListInfo params,
					   SyncRowSink sink,
					   void *arg)
{
	Assert(site->remote == NULL || params == NULL);

	if (site->remote)
		sync_remote_run(site->remote, sql, sink, arg);
	else
		sync_kit_spi_run(sql, params, !site->writes, sink, arg);
}

/*
 * Run one statement and collect its rows in the current memory context.
 */
SyncRows *
sync_progress_site_rows(SyncSite *site, const char *sql)
{
	SyncRows *rows = sync_kit_rows_create();

	sync_progress_site_run(site, sql, NULL, sync_kit_rows_collect, rows);
	return rows;
}
