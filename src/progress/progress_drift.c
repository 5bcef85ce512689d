/*-------------------------------------------------------------------------
 *
 * progress_drift.c
 *	  What reconciling would change, as data.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "progress/progress.h"

/*
 * Give each change that a full run would make to "sink": rule, relation,
 * action, key, before, after.
 */
void
sync_progress_drift(SyncProgressRequest *request, SyncRowSink sink, void *arg)
{
	List *rules = sync_progress_load_rules(request->rule, request->competition);
	SyncScope scope = {.competition = request->competition};
	SyncSite site;
	ListCell *cell;

	sync_progress_open_site(&site, request->environment, false);
	sync_progress_inspect(&site, rules);
	foreach(cell, rules)
		sync_progress_site_run(&site,
							   sync_progress_compose_drift(lfirst(cell), &scope),
							   NULL,
							   sink,
							   arg);
	sync_progress_close_site(&site);
}
