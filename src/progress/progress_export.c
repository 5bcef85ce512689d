/*-------------------------------------------------------------------------
 *
 * progress_export.c
 *	  Rules as the SQL that makes them again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "progress/progress_export.h"

static void export_rules(SyncRowSink sink, void *arg);
static void export_tracking(SyncRowSink sink, void *arg);

/*
 * Give the statements that make the rules, but for those that are as they were
 * shipped, and have them tracked that are.
 */
void
sync_progress_export(SyncRowSink sink, void *arg)
{
	export_rules(sink, arg);
	export_tracking(sink, arg);
}

/*
 * A row that is inserted over a shipped one replaces it.
 */
static void
export_rules(SyncRowSink sink, void *arg)
{
	sync_kit_export_table("sync_progress_rules",
						  "position, rule_name COLLATE \"C\"",
						  sink,
						  arg);
}

/*
 * Tracked means: the triggers stand.
 */
static void
export_tracking(SyncRowSink sink, void *arg)
{
	static const SyncExportItem items[] = {
		{"rule", NULL, false},
	};
	SyncRows *tracked =
		sync_kit_export_read("SELECT rule_name "
							 "FROM @extschema@.sync_progress_rules AS r "
							 "WHERE EXISTS (SELECT FROM pg_trigger AS g"
							 " JOIN pg_proc AS f ON f.oid = g.tgfoid"
							 " AND f.proname = 'sync_progress_note'"
							 " JOIN pg_extension AS x"
							 " ON x.extnamespace = f.pronamespace"
							 " AND x.extname = 'sync_ext'"
							 " WHERE starts_with(encode(g.tgargs, 'hex'),"
							 " encode(convert_to(r.rule_name,"
							 " getdatabaseencoding()), 'hex') || '00')) "
							 "ORDER BY rule_name COLLATE \"C\"");

	for (int i = 0; i < tracked->nrows; i++)
		sync_kit_export_call("sync_track_progress",
							 items,
							 lengthof(items),
							 tracked->rows[i],
							 sink,
							 arg);
}
