/*-------------------------------------------------------------------------
 *
 * check_judge.c
 *	  Whether a check holds, with the caller's rights, of the table as it is now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "check/check.h"
#include "kit/kit_spi.h"

/* so many rows are shown of those that fail */
#define SAMPLE_ROWS 5

/* Rows that fail, as they are gathered for a message */
typedef struct Sample
{
	List *names;
	StringInfoData text;
} Sample;

static void judge_rows(SyncFinding *finding, SyncCheckSubject *subject);
static void judge_count(SyncFinding *finding, SyncCheckSubject *subject);
static void take_figures(void *finding, int ncells, char **cells);
static void take_sample(void *sample, int ncells, char **cells);
static const char *what_fails(SyncCheck *check);
static double share_of(const char *share, double otherwise);
static void name_check(void *check);

/*
 * Judge a check.  The finding lives in the current memory context.
 */
SyncFinding *
sync_check_judge(SyncCheck *check, SyncCheckSubject *subject)
{
	SyncFinding *finding = palloc0(sizeof(SyncFinding));
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_check,
		.arg = check,
	};

	finding->check = check;
	error_context_stack = &frame;
	if (check->kind == SYNC_CHECK_ROW_COUNT)
		judge_count(finding, subject);
	else
		judge_rows(finding, subject);
	error_context_stack = frame.previous;
	return finding;
}

/*
 * Ask how many rows fail; where they are too many, which.
 */
static void
judge_rows(SyncFinding *finding, SyncCheckSubject *subject)
{
	SyncCheck *check = finding->check;
	Sample sample = {.names = subject->key};
	double share = 1;

	(void) sync_kit_spi_run(sync_check_compose_count(check, subject),
							NULL,
							false,
							take_figures,
							finding);
	if (finding->total > 0)
		share = (double) (finding->total - finding->failing) / finding->total;
	finding->judged = true;
	finding->passed =
		finding->failing == 0 || (check->kind != SYNC_CHECK_QUERY &&
								  share >= share_of(check->min_share, 1));
	if (check->kind == SYNC_CHECK_QUERY)
		finding->message =
			psprintf("The query finds " INT64_FORMAT " rows.", finding->total);
	else
		finding->message =
			psprintf(INT64_FORMAT
					 " of " INT64_FORMAT
					 " rows %s: the share of the others is %.4g, and at least %s is asked for.",
					 finding->failing,
					 finding->total,
					 what_fails(check),
					 share,
					 check->min_share ? check->min_share : "1");
	if (finding->passed)
		return;

	initStringInfo(&sample.text);
	if (check->kind == SYNC_CHECK_UNIQUE)
		sample.names = check->columns;
	else if (check->kind == SYNC_CHECK_QUERY)
		sample.names = NIL;
	(void)
		sync_kit_spi_run(sync_check_compose_sample(check, subject, SAMPLE_ROWS),
						 NULL,
						 false,
						 take_sample,
						 &sample);
	finding->message =
		psprintf("%s Rows: %s.", finding->message, sample.text.data);
}

/*
 * Compare the rows of the source with those of the run before.
 */
static void
judge_count(SyncFinding *finding, SyncCheckSubject *subject)
{
	SyncCheck *check = finding->check;
	double share;
	bool too_many;

	finding->passed = true;
	if (subject->rows_read < 0)
		finding->message =
			"It compares the rows of a run with those of the run before.";
	else if (subject->rows_before <= 0)
		finding->message = "There is no run before with rows to compare with.";
	if (finding->message)
		return;

	share = (double) subject->rows_read / subject->rows_before;
	too_many = check->max_share && share > strtod(check->max_share, NULL);
	finding->judged = true;
	finding->total = subject->rows_read;
	finding->passed = !too_many && share >= share_of(check->min_share, 0);
	finding->message =
		psprintf("The source has " INT64_FORMAT
				 " rows, in the run before it had " INT64_FORMAT
				 ": a share of %.4g, and at %s %s is asked for.",
				 subject->rows_read,
				 subject->rows_before,
				 share,
				 too_many || !check->min_share ? "most" : "least",
				 too_many || !check->min_share ? check->max_share
											   : check->min_share);
}

/*
 * Take the one row of the figures; a SyncRowSink.
 */
static void
take_figures(void *arg, int ncells, char **cells)
{
	SyncFinding *finding = arg;

	finding->total = strtoi64(cells[0], NULL, 10);
	finding->failing = strtoi64(cells[1], NULL, 10);
}

/*
 * Add a row that fails to a sample; a SyncRowSink.  Without names it is one cell
 * that speaks for itself.
 */
static void
take_sample(void *arg, int ncells, char **cells)
{
	Sample *sample = arg;
	StringInfo text = &sample->text;

	if (text->len > 0)
		appendStringInfoString(text, ", ");
	if (sample->names == NIL)
	{
		appendStringInfoString(text, cells[0]);
		return;
	}
	for (int i = 0; i < ncells; i++)
		appendStringInfo(text,
						 "%s%s",
						 i > 0 ? ", " : "(",
						 (char *) list_nth(sample->names, i));
	for (int i = 0; i < ncells; i++)
		appendStringInfo(text,
						 "%s%s",
						 i > 0 ? ", " : ")=(",
						 cells[i] ? cells[i] : "null");
	appendStringInfoChar(text, ')');
}

/*
 * What is wrong with the rows that fail, as the rest of a sentence.
 */
static const char *
what_fails(SyncCheck *check)
{
	StringInfoData columns;
	ListCell *cell;

	initStringInfo(&columns);
	foreach(cell, check->columns)
		appendStringInfo(&columns,
						 "%s%s",
						 columns.len > 0 ? ", " : "",
						 (char *) lfirst(cell));
	switch (check->kind)
	{
		case SYNC_CHECK_NOT_NULL:
			return psprintf("have no value in (%s)", columns.data);
		case SYNC_CHECK_UNIQUE:
			return psprintf("repeat another's values in (%s)", columns.data);
		case SYNC_CHECK_FOREIGN_KEY:
			return psprintf("have no row in %s for (%s)",
							check->parent,
							columns.data);
		default:
			return "do not meet the condition";
	}
}

/*
 * A share as a number.
 */
static double
share_of(const char *share, double otherwise)
{
	return share ? strtod(share, NULL) : otherwise;
}

/*
 * Error context: which check was at work.
 */
static void
name_check(void *check)
{
	errcontext("%s", ((SyncCheck *) check)->label);
}
