/*-------------------------------------------------------------------------
 *
 * history_details.c
 *	  The details of a run, gathered while it goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "history/history.h"

/*
 * Add a member to the details of a run; "json" is its value.  Lives in the
 * current memory context.
 */
void
sync_history_add_detail(SyncRun *run, const char *name, const char *json)
{
	StringInfoData details;

	initStringInfo(&details);
	if (run->details)
		appendStringInfo(&details,
						 "%.*s, ",
						 (int) strlen(run->details) - 1,
						 run->details);
	else
		appendStringInfoChar(&details, '{');
	escape_json(&details, name);
	appendStringInfo(&details, ": %s}", json);
	run->details = details.data;
}
