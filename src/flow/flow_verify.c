/*-------------------------------------------------------------------------
 *
 * flow_verify.c
 *	  Checks of a stream: run when its rows are written, before they are
 *	  committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "alert/alert.h"
#include "flow/flow_path.h"
#include "kit/kit_error.h"

static void fill_subject(SyncCheckSubject *subject, SyncFlow *flow);
static void warn(SyncRun *run, const char *stream, List *findings);
static void fail(List *findings);

/*
 * Judge all checks of the stream on what the run has written.  Those that do not
 * hold are warned of, raise an alert and go into the details of the run; or the run
 * fails.
 */
void
sync_flow_verify(SyncFlow *flow, SyncRun *run)
{
	/* how many rows are new says nothing of how many there are */
	SyncCheckSubject subject = {
		.rows_read = flow->merge.partial ? -1 : run->rows_read,
	};
	List *warnings = NIL;
	List *failures = NIL;
	List *checks;
	ListCell *cell;

	if (flow->stream->name == NULL)
		return;
	checks = sync_check_load(flow->stream->name);
	if (checks == NIL)
		return;
	fill_subject(&subject, flow);
	subject.rows_before = -1;
	if (strcmp(run->operation, "stream") == 0)
		subject.rows_before = sync_history_rows_before(run);
	foreach(cell, checks)
	{
		SyncFinding *finding = sync_check_judge(lfirst(cell), &subject);

		if (finding->passed)
			continue;
		if (finding->check->warning)
			warnings = lappend(warnings, finding);
		else
			failures = lappend(failures, finding);
	}
	if (warnings)
		warn(run, flow->stream->name, warnings);
	if (failures)
		fail(failures);
}

/*
 * Check a check against the target of its stream, and store it.
 */
void
sync_flow_add_check(SyncCheck *check)
{
	SyncStream *stream = sync_flow_load(check->stream);
	int settings = sync_flow_path_enter(stream);
	SyncFlow *flow = sync_flow_open_target(stream);
	SyncCheckSubject subject = {.rows_read = -1};

	fill_subject(&subject, flow);
	sync_check_validate(check, &subject);
	sync_check_store(check);
	sync_flow_close(flow);
	sync_flow_path_leave(settings);
}

/*
 * Judge the checks of a stream on its target as it is now: a list of
 * SyncFinding.
 */
List *
sync_flow_judge(const char *name)
{
	SyncStream *stream = sync_flow_load(name);
	int settings = sync_flow_path_enter(stream);
	SyncFlow *flow = sync_flow_open_target(stream);
	SyncCheckSubject subject = {.rows_read = -1};
	List *findings = NIL;
	ListCell *cell;

	fill_subject(&subject, flow);
	foreach(cell, sync_check_load(name))
		findings = lappend(findings, sync_check_judge(lfirst(cell), &subject));
	sync_flow_close(flow);
	sync_flow_path_leave(settings);
	return findings;
}

/*
 * What checks need to know of a stream.
 */
static void
fill_subject(SyncCheckSubject *subject, SyncFlow *flow)
{
	subject->table = flow->target->qualified;
	subject->key = flow->stream->key;
	subject->incremental = flow->stream->watermark != NULL;
}

/*
 * Warn of what does not hold, and put it into the details of the run.
 */
static void
warn(SyncRun *run, const char *stream, List *findings)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	foreach(cell, findings)
	{
		SyncFinding *finding = lfirst(cell);

		ereport(WARNING,
				errcode(SYNC_ERRCODE_CHECK_FAILED),
				errmsg("%s does not hold", finding->check->label),
				errdetail_internal("%s", finding->message));
		sync_alert_raise(SYNC_ALERT_CHECK,
						 stream,
						 psprintf("%s does not hold: %s",
								  finding->check->label,
								  finding->message),
						 0);
		appendStringInfoString(&json, json.len > 0 ? ", " : "{");
		escape_json(&json, finding->check->name);
		appendStringInfoString(&json, ": ");
		escape_json(&json, finding->message);
	}
	appendStringInfoChar(&json, '}');
	sync_history_add_detail(run, "checks", json.data);
}

/*
 * Raise that checks do not hold: the first by its name, all with their figures.
 */
static void
fail(List *findings)
{
	SyncFinding *first = linitial(findings);
	StringInfoData detail;
	ListCell *cell;

	initStringInfo(&detail);
	appendStringInfoString(&detail, first->message);
	for_each_from(cell, findings, 1)
	{
		SyncFinding *finding = lfirst(cell);

		appendStringInfo(&detail,
						 "\nNor does check \"%s\". %s",
						 finding->check->name,
						 finding->message);
	}
	ereport(ERROR,
			errcode(SYNC_ERRCODE_CHECK_FAILED),
			errmsg("%s does not hold", first->check->label),
			errdetail_internal("%s", detail.data),
			errhint("Nothing of this run stays. Look at the source; a check with severity 'warning' lets runs pass."));
}
