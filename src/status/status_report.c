/*-------------------------------------------------------------------------
 *
 * status_report.c
 *	  The report: what is in the queue, what was done, and how fresh it is.
 *
 * It is read under one snapshot, as the extension's owner, and writes nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"

#include "alert/alert.h"
#include "history/history.h"
#include "kit/kit_settings.h"
#include "kit/kit_spi.h"
#include "status/status.h"

/* bars over time, and rows of what may be long */
#define SPANS	 48
#define MAX_ROWS 30

static void append_head(StringInfo page, const char *since);
static void append_queue(StringInfo page);
static void append_workers(StringInfo page);
static void append_history(StringInfo page, const char *since);
static void append_streams(StringInfo page);
static void append_troubles(StringInfo page, const char *since);
static SyncRows *ask(const char *sql);

/*
 * The report on the time "since" so long ago, an interval, as a page in the current
 * memory context.
 */
char *
sync_status_report(const char *since)
{
	StringInfoData page;

	initStringInfo(&page);
	append_head(&page, since);
	append_queue(&page);
	append_workers(&page);
	append_history(&page, since);
	append_streams(&page);
	append_troubles(&page, since);
	sync_status_end_page(&page);
	return page.data;
}

/*
 * What the report is on.
 */
static void
append_head(StringInfo page, const char *since)
{
	SyncRows *now =
		ask("SELECT now()::timestamptz(0), current_setting('server_version')");

	sync_status_begin_page(page,
						   psprintf("sync_ext: %s",
									get_database_name(MyDatabaseId)));
	sync_status_append_paragraph(page,
								 psprintf("%s, PostgreSQL %s, %s, the last %s",
										  sync_guc_environment,
										  now->rows[0][1],
										  now->rows[0][0],
										  since));
}

/*
 * What waits and what is at work.
 */
static void
append_queue(StringInfo page)
{
	static const SyncPageSeries parts[] = {
		{1, "good", "running"},
		{2, "late", "due"},
		{3, "wait", "not due yet"},
	};
	static const SyncPageColumn columns[] = {
		{"operation type", false},
		{"running", true},
		{"due", true},
		{"not due yet", true},
		{"oldest due", true},
		{"next due", true},
		{"held back", false},
	};
	SyncRows *rows =
		ask("SELECT operation_type,"
			" coalesce(sum(tasks) FILTER (WHERE status = 'running'), 0),"
			" coalesce(sum(due) FILTER (WHERE status <> 'running'), 0),"
			" coalesce(sum(tasks - due) FILTER (WHERE status <> 'running'), 0),"
			" max(oldest_due) FILTER (WHERE status <> 'running' AND due > 0)::interval(0),"
			" min(next_due)::timestamptz(0),"
			" CASE WHEN bool_and(paused) THEN 'all' WHEN bool_or(paused) THEN 'in part' END"
			" FROM @extschema@.sync_stat_queue WHERE status IS NOT NULL"
			" GROUP BY operation_type"
			" ORDER BY sum(tasks) DESC, operation_type LIMIT " CppAsString2(MAX_ROWS));

	sync_status_append_heading(page, "Queue");
	if (rows->nrows == 0)
	{
		sync_status_append_paragraph(page, "It is empty.");
		return;
	}
	sync_status_append_bars(page,
							"Tasks in the queue, by state",
							"",
							parts,
							lengthof(parts),
							rows);
	sync_status_append_table(page, columns, lengthof(columns), rows);
}

/*
 * Who performs them.
 */
static void
append_workers(StringInfo page)
{
	static const SyncPageColumn columns[] = {
		{"process", true},
		{"database", false},
		{"state", false},
		{"task", true},
		{"since", false},
		{"performed", true},
		{"failed", true},
	};
	SyncRows *rows = ask("SELECT pid, datname, state, queue_id,"
						 " task_since::timestamptz(0), performed, failed"
						 " FROM @extschema@.sync_stat_workers"
						 " ORDER BY datname, worker");

	sync_status_append_heading(page, "Workers");
	if (rows->nrows == 0)
		sync_status_append_paragraph(page, "There are none.");
	else
		sync_status_append_table(page, columns, lengthof(columns), rows);
}

/*
 * What was done.
 */
static void
append_history(StringInfo page, const char *since)
{
	static const SyncPageSeries parts[] = {
		{1, "good", "succeeded"},
		{2, "bad", "failed"},
	};
	static const SyncPageColumn columns[] = {
		{"operation", false},
		{"runs", true},
		{"failed", true},
		{"rows written", true},
		{"half took at most", true},
		{"95 of 100", true},
		{"last", false},
	};
	SyncRows *spans = sync_history_by_time(since, SPANS);
	SyncRows *operations = sync_history_by_operation(since);

	sync_status_append_heading(page, "Runs");
	sync_status_append_plot(page,
							"Runs over time",
							parts,
							lengthof(parts),
							spans);
	if (operations->nrows == 0)
		sync_status_append_paragraph(page, "There were none.");
	else
		sync_status_append_table(page, columns, lengthof(columns), operations);
}

/*
 * How fresh the targets of streams are.
 */
static void
append_streams(StringInfo page)
{
	static const SyncPageSeries parts[] = {
		{1, "good", "in order"},
		{2, "bad", "failing"},
	};
	static const SyncPageColumn columns[] = {
		{"stream", false},
		{"target", false},
		{"last run", false},
		{"status", false},
		{"age", true},
		{"failures", true},
		{"last error", false},
	};
	SyncRows *ages =
		ask("SELECT stream_name,"
			" CASE WHEN failures = 0 THEN round(extract(epoch FROM age) / 3600, 1) END,"
			" CASE WHEN failures > 0 THEN round(extract(epoch FROM age) / 3600, 1) END"
			" FROM @extschema@.sync_stat_streams WHERE age IS NOT NULL"
			" ORDER BY age DESC, stream_name LIMIT " CppAsString2(MAX_ROWS));
	SyncRows *rows =
		ask("SELECT stream_name, target, last_run::timestamptz(0), last_status,"
			" age::interval(0), failures, last_error"
			" FROM @extschema@.sync_stat_streams"
			" ORDER BY failures DESC, age DESC NULLS FIRST, stream_name LIMIT " CppAsString2(
				MAX_ROWS));

	sync_status_append_heading(page, "Streams");
	if (rows->nrows == 0)
	{
		sync_status_append_paragraph(page, "There are none.");
		return;
	}
	if (ages->nrows > 0)
		sync_status_append_bars(page,
								"Hours since the last success of each stream",
								" h",
								parts,
								lengthof(parts),
								ages);
	sync_status_append_table(page, columns, lengthof(columns), rows);
}

/*
 * What went wrong.
 */
static void
append_troubles(StringInfo page, const char *since)
{
	static const SyncPageColumn failed[] = {
		{"began", false},
		{"operation", false},
		{"subject", false},
		{"status", false},
		{"SQLSTATE", false},
		{"error", false},
	};
	static const SyncPageColumn alerted[] = {
		{"raised", false},
		{"what", false},
		{"subject", false},
		{"message", false},
	};
	SyncRows *failures = sync_history_failures(since, MAX_ROWS);
	SyncRows *alerts = sync_alert_latest(MAX_ROWS);

	sync_status_append_heading(page, "Failures");
	if (failures->nrows == 0)
		sync_status_append_paragraph(page, "There were none.");
	else
		sync_status_append_table(page, failed, lengthof(failed), failures);
	sync_status_append_heading(page, "Alerts");
	if (alerts->nrows == 0)
		sync_status_append_paragraph(page, "There are none.");
	else
		sync_status_append_table(page, alerted, lengthof(alerted), alerts);
}

/*
 * The rows of a query of views.
 */
static SyncRows *
ask(const char *sql)
{
	return sync_kit_spi_rows_own(sql, NULL);
}
