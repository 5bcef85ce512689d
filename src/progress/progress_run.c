/*-------------------------------------------------------------------------
 *
 * progress_run.c
 *	  A run of reconciliation: open the site, lock, apply each rule, report,
 *	  leave a row in history.
 *
 * Two runs never work on one progress relation at once: a run that writes
 * first takes a SHARE ROW EXCLUSIVE lock on each, which readers do not notice
 * and every other writer waits for, so that no key is ever added twice, with a
 * unique constraint or without.  The locks are taken in one order everywhere.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "progress/progress.h"
#include "shmem/shmem_progress.h"

/* so few touched keys are read by a plan that is kept */
#define TOUCHED_FEW 128

/* The columns of the composed statement's result */
enum RunCell
{
	RUN_RULE,
	RUN_KIND,
	RUN_1,
	RUN_2,
	RUN_3,
	RUN_4,
	RUN_5,
	RUN_ORDER,
	RUN_NCELLS,
};

/* A run, and where its report goes */
typedef struct ReportedRun
{
	SyncProgressRequest *request;
	SyncRun *run;
	SyncLineSink sink;
	void *sink_arg;
} ReportedRun;

/* The outcomes of the rules that one statement applies */
typedef struct Applied
{
	SyncSite *site;
	SyncRuleOutcome *outcomes[2]; /* the second may be NULL */
} Applied;

static void perform_writing(void *reported);
static void check_may_write(void);
static SyncRun *start_run(SyncProgressRequest *request);
static void perform(ReportedRun *reported);
static void lock_progress(SyncSite *site, List *rules);
static int compare_names(const ListCell *a, const ListCell *b);
static SyncRuleOutcome *prepare_rule(SyncRule *rule,
									 SyncProgressRequest *request);
static int apply_rules(SyncSite *site,
					   List *outcomes,
					   int first,
					   SyncProgressRequest *request);
static SyncExpect expect_of(SyncRuleScope *scope);
static void take_row(void *arg, int ncells, char **cells);
static bool is_whole(char **cells);
static void take_rest(SyncRuleOutcome *outcome, char *numbers);
static List *list_headed(SyncProgressRequest *request,
						 SyncRule *rule,
						 List *outcomes);
static void check_evidence(SyncProgressRequest *request, List *outcomes);
static void sum_up(SyncRun *run, List *outcomes);
static void record_failure(void *run, const ErrorData *error);
static void name_rules(void *applied);

/*
 * Reconcile, or find out what reconciling would do, and give the report line
 * by line to "sink".  A run that writes leaves a row in sync_history, also
 * when it raises.
 */
void
sync_progress_run(SyncProgressRequest *request, SyncLineSink sink, void *arg)
{
	ReportedRun reported = {
		.request = request,
		.run = start_run(request),
		.sink = sink,
		.sink_arg = arg,
	};

	sync_shmem_progress_begin(reported.run->operation,
							  reported.run->subject,
							  request->dry_run);
	if (request->dry_run)
		perform(&reported);
	else
		sync_history_guard(reported.run, perform_writing, &reported);
	sync_shmem_progress_end();
}

/*
 * The run that writes.
 */
static void
perform_writing(void *reported)
{
	check_may_write();
	perform(reported);
}

/*
 * Raise where nothing can be written, or where this transaction would not see
 * what another run has just committed.
 */
static void
check_may_write(void)
{
	PreventCommandIfReadOnly("sync_progress(dry_run => false)");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				errmsg("sync_progress(dry_run => false) cannot run with isolation level REPEATABLE READ or SERIALIZABLE"),
				errdetail("It would not see what another run commits while it waits for it, and add rows twice."),
				errhint("Run it with isolation level READ COMMITTED."));
}

/*
 * What history will say of the run.  It lives as long as the transaction, for
 * the sake of a remote commit at its end.
 */
static SyncRun *
start_run(SyncProgressRequest *request)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	SyncRun *run = palloc(sizeof(SyncRun));

	sync_history_start(run, "progress");
	run->subject = request->competition ? pstrdup(request->competition) : NULL;
	run->environment = pstrdup(sync_progress_site_name(request->environment));
	MemoryContextSwitchTo(caller);
	return run;
}

/*
 * The run itself.
 */
static void
perform(ReportedRun *reported)
{
	SyncProgressRequest *request = reported->request;
	bool writes = !request->dry_run;
	List *outcomes = NIL;
	int applied = 0;
	List *rules;
	SyncSite site;
	ListCell *cell;

	rules = sync_progress_load_rules(request->rule,
									 request->competition,
									 writes ? SYNC_RULE_APPLY : SYNC_RULE_READ);
	sync_shmem_progress_phase(SYNC_PHASE_CONNECTING, -1, false);
	sync_progress_open_site(&site, request->environment, writes);
	sync_progress_inspect(&site, rules);
	if (writes)
	{
		/* what another run did while this one waited for it is to be seen */
		sync_shmem_progress_phase(SYNC_PHASE_WAITING, -1, false);
		lock_progress(&site, rules);
		PushActiveSnapshot(GetTransactionSnapshot());
	}

	foreach(cell, rules)
		outcomes = lappend(outcomes, prepare_rule(lfirst(cell), request));
	/* notes are of this database, and hold keys, not competitions; they are taken
	 * before anything is read: what changes from now on is for the next run */
	if (site.remote == NULL && request->competition == NULL)
		sync_progress_touched(outcomes, writes, request->full);
	sync_shmem_progress_phase(SYNC_PHASE_RECONCILING,
							  list_length(outcomes),
							  true);
	while (applied < list_length(outcomes))
	{
		applied += apply_rules(&site, outcomes, applied, request);
		sync_shmem_progress_rows(applied);
	}
	sync_shmem_progress_phase(SYNC_PHASE_FINISHING, -1, false);
	check_evidence(request, outcomes);
	sync_progress_report(request,
						 &site,
						 outcomes,
						 reported->sink,
						 reported->sink_arg);

	if (!writes)
	{
		sync_progress_close_site(&site);
		return;
	}
	sum_up(reported->run, outcomes);
	(void) sync_history_succeeded(reported->run);
	PopActiveSnapshot();
	if (site.remote)
		sync_remote_commit_with_transaction(site.remote,
											record_failure,
											reported->run);
}

/*
 * Lock the progress relations, in the order of their names.  A foreign table
 * cannot be locked: an advisory lock keeps at least other runs away.
 */
static void
lock_progress(SyncSite *site, List *rules)
{
	List *relations = NIL;
	ListCell *cell;

	foreach(cell, rules)
		relations = lappend(relations, ((SyncRule *) lfirst(cell))->progress);
	list_sort(relations, compare_names);

	foreach(cell, relations)
	{
		SyncRelation *relation = lfirst(cell);
		char *sql;

		if (relation->kind == RELKIND_FOREIGN_TABLE)
			sql = psprintf("SELECT pg_catalog.pg_advisory_xact_lock("
						   "pg_catalog.hashtextextended(%s, 0))",
						   quote_literal_cstr(psprintf("sync_ext progress %s",
													   relation->qualified)));
		else
			sql = psprintf("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE",
						   relation->qualified);
		sync_progress_site_run(site, sql, NULL, SYNC_EXPECT_AGAIN, 0, NULL, NULL);
	}
}

/*
 * Order relations by their full names.
 */
static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((SyncRelation *) lfirst(a))->qualified,
				  ((SyncRelation *) lfirst(b))->qualified);
}

/*
 * The outcome of a rule before it is applied.
 */
static SyncRuleOutcome *
prepare_rule(SyncRule *rule, SyncProgressRequest *request)
{
	SyncRuleOutcome *outcome = palloc0(sizeof(SyncRuleOutcome));

	outcome->rule = rule;
	outcome->missing = palloc0(list_length(rule->key) * sizeof(int64));
	outcome->scope.competition = request->competition;
	outcome->scope.max_details = request->max_details;
	return outcome;
}

/*
 * Apply the rule of the outcome at "first" on the site, and the one after it
 * where they share their evidence.  Returns how many were applied.
 */
static int
apply_rules(SyncSite *site,
			List *outcomes,
			int first,
			SyncProgressRequest *request)
{
	Applied applied = {site, {list_nth(outcomes, first)}};
	SyncRule *rule = applied.outcomes[0]->rule;
	SyncRuleScope *scope = &applied.outcomes[0]->scope;
	List *rules = list_make1(rule);
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_rules,
		.arg = &applied,
	};

	/* nothing was touched: there is nothing to be read */
	if (scope->touched && scope->ntouched == 0)
		return 1;
	if (first + 1 < list_length(outcomes))
	{
		SyncRuleOutcome *next = list_nth(outcomes, first + 1);

		if (sync_progress_share(rule, next->rule, scope, &next->scope))
		{
			applied.outcomes[1] = next;
			rules = lappend(rules, next->rule);
		}
	}
	/* the competitions that the report heads anyway: tell what is known of them */
	scope->headed = list_headed(request, rule, outcomes);

	error_context_stack = &frame;
	if (scope->touched && applied.outcomes[1] == NULL)
		sync_progress_set_texts(&scope->touched->params[list_length(rule->key)],
								scope->headed);
	sync_progress_site_run(site,
						   sync_progress_compose_run(rules, scope, site->writes),
						   scope->touched,
						   expect_of(scope),
						   RUN_NCELLS,
						   take_row,
						   &applied);
	error_context_stack = frame.previous;
	return list_length(rules);
}

/*
 * What to expect of the statement that reads a scope.
 */
static SyncExpect
expect_of(SyncRuleScope *scope)
{
	if (scope->touched == NULL)
		return SYNC_EXPECT_MANY;
	return Max(scope->ntouched, scope->nfiner) <= TOUCHED_FEW
			   ? SYNC_EXPECT_AGAIN
			   : SYNC_EXPECT_ONCE;
}

/*
 * Take one row of the statement's result into its outcome; a SyncRowSink.
 */
static void
take_row(void *arg, int ncells, char **cells)
{
	Applied *applied = arg;
	SyncRuleOutcome *outcome = NULL;

	if (cells[RUN_RULE] && cells[RUN_KIND])
		outcome = applied->outcomes[cells[RUN_RULE][0] == '1'];
	sync_progress_expect(applied->site, outcome != NULL && is_whole(cells));
	if (strcmp(cells[RUN_KIND], "total") == 0)
	{
		outcome->rows_read = strtoi64(cells[RUN_1], NULL, 10);
		outcome->keys = strtoi64(cells[RUN_2], NULL, 10);
		outcome->added = strtoi64(cells[RUN_3], NULL, 10);
		outcome->updated = strtoi64(cells[RUN_4], NULL, 10);
		take_rest(outcome, cells[RUN_5]);
	}
	else if (strcmp(cells[RUN_KIND], "change") == 0)
	{
		SyncChange *change = palloc0(sizeof(SyncChange));

		change->add = strcmp(cells[RUN_1], "add") == 0;
		change->competition = pstrdup(cells[RUN_2]);
		change->rest = cells[RUN_3] ? pstrdup(cells[RUN_3]) : NULL;
		change->rows = pstrdup(cells[RUN_4]);
		outcome->changes = lappend(outcome->changes, change);
	}
	else
	{
		SyncHeading *heading = palloc0(sizeof(SyncHeading));

		heading->competition = cells[RUN_1] ? pstrdup(cells[RUN_1]) : "";
		heading->rows = pstrdup(cells[RUN_2]);
		heading->keys = pstrdup(cells[RUN_3]);
		outcome->headings = lappend(outcome->headings, heading);
	}
}

/*
 * Whether a row has the cells that its kind has.
 */
static bool
is_whole(char **cells)
{
	if (strcmp(cells[RUN_KIND], "total") == 0)
		return cells[RUN_1] && cells[RUN_2] && cells[RUN_3] && cells[RUN_4] &&
			   cells[RUN_5];
	if (strcmp(cells[RUN_KIND], "change") == 0)
		return cells[RUN_1] && cells[RUN_2] && cells[RUN_4];
	return cells[RUN_2] && cells[RUN_3];
}

/*
 * Take the last cell of a row "total": keys that fail the validation, and rows
 * without a value, by key column.
 */
static void
take_rest(SyncRuleOutcome *outcome, char *numbers)
{
	outcome->invalid = strtoi64(numbers, &numbers, 10);
	for (int i = 0; i < list_length(outcome->rule->key); i++)
		outcome->missing[i] = strtoi64(numbers, &numbers, 10);
}

/*
 * The competitions that the report will head in the rule's family: the one
 * that was asked for, or those of the changes so far.
 */
static List *
list_headed(SyncProgressRequest *request, SyncRule *rule, List *outcomes)
{
	List *headed = NIL;
	ListCell *cell;

	if (request->competition)
		return list_make1(pstrdup(request->competition));

	foreach(cell, outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);
		ListCell *change;

		if (!sync_progress_same_family(outcome->rule, rule))
			continue;
		foreach(change, outcome->changes)
		{
			char *competition = ((SyncChange *) lfirst(change))->competition;

			/* the changes of one competition come together */
			if (headed == NIL || strcmp(llast(headed), competition) != 0)
				headed = lappend(headed, competition);
		}
	}
	return headed;
}

/*
 * Raise where a competition was asked for and no rule has evidence of it.
 */
static void
check_evidence(SyncProgressRequest *request, List *outcomes)
{
	ListCell *cell;

	if (request->competition == NULL || outcomes == NIL)
		return;
	foreach(cell, outcomes)
		if (((SyncRuleOutcome *) lfirst(cell))->rows_read > 0)
			return;
	sync_progress_report_no_evidence(((SyncRuleOutcome *) linitial(outcomes))
										 ->rule,
									 request->competition);
}

/*
 * Put the counts of all rules into the run.
 */
static void
sum_up(SyncRun *run, List *outcomes)
{
	StringInfoData details;
	ListCell *cell;

	initStringInfo(&details);
	foreach(cell, outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);

		run->rows_read += outcome->rows_read;
		run->inserted += outcome->added;
		run->updated += outcome->updated;
		/* one key may have several rows that were updated */
		run->unchanged += Max(0,
							  outcome->keys - outcome->invalid -
								  outcome->added - outcome->updated);

		appendStringInfoString(&details, details.len > 0 ? ", " : "{");
		escape_json(&details, outcome->rule->name);
		appendStringInfo(&details,
						 ": {\"keys\": " INT64_FORMAT
						 ", \"added\": " INT64_FORMAT
						 ", \"updated\": " INT64_FORMAT
						 ", \"invalid\": " INT64_FORMAT ", \"tracked\": %s}",
						 outcome->keys,
						 outcome->added,
						 outcome->updated,
						 outcome->invalid,
						 outcome->tracked ? "true" : "false");
	}
	if (details.len > 0)
		appendStringInfoChar(&details, '}');
	run->details = details.len > 0 ? details.data : NULL;
}

/*
 * Write the history row of a run whose remote commit failed; the local row
 * that said success goes with the local transaction.  A SyncRemoteFailure.
 */
static void
record_failure(void *run, const ErrorData *error)
{
	sync_history_failed(run, error);
}

/*
 * Error context: which rules were at work.
 */
static void
name_rules(void *arg)
{
	Applied *applied = arg;
	SyncRule *rule = applied->outcomes[0]->rule;

	if (applied->outcomes[1] == NULL)
		errcontext("while reconciling by progress rule \"%s\" (%s to %s)",
				   rule->name,
				   rule->evidence->given,
				   rule->progress->given);
	else
		errcontext("while reconciling by progress rules \"%s\" and \"%s\" (%s to %s and %s)",
				   rule->name,
				   applied->outcomes[1]->rule->name,
				   rule->evidence->given,
				   rule->progress->given,
				   applied->outcomes[1]->rule->progress->given);
}
