/*-------------------------------------------------------------------------
 *
 * check_validate.c
 *	  Refusing checks that cannot work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "check/check.h"
#include "kit/kit_error.h"
#include "kit/kit_expr.h"
#include "kit/kit_spi.h"

/* What each kind takes */
typedef struct KindNeeds
{
	bool columns;
	bool parent;
	bool condition;
	bool min_share;
	bool max_share;
} KindNeeds;

/* in the order of SyncCheckKind */
static const KindNeeds needs[] = {
	{.columns = true, .min_share = true},
	{.columns = true, .min_share = true},
	{.columns = true, .parent = true, .min_share = true},
	{.condition = true, .min_share = true},
	{.condition = true},
	{.min_share = true, .max_share = true},
};

static void check_shares(SyncCheck *check);
static void refuse_if(bool wrong,
					  SyncCheck *check,
					  const char *why,
					  const char *hint);
static void name_check(void *check);

/*
 * Raise where a check lacks something, has what its kind does not take, or names
 * what the caller cannot read.
 */
void
sync_check_validate(SyncCheck *check, SyncCheckSubject *subject)
{
	const KindNeeds *need = &needs[check->kind];
	const char *kind = sync_check_kind_name(check->kind);
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_check,
		.arg = check,
	};

	refuse_if(need->columns != (check->columns != NIL),
			  check,
			  psprintf("Kind %s %s columns.",
					   kind,
					   need->columns ? "needs" : "takes no"),
			  "Name them with columns: columns => '{a,b}'.");
	refuse_if(need->parent != (check->parent != NULL),
			  check,
			  psprintf("Kind %s %s parent.",
					   kind,
					   need->parent ? "needs a" : "takes no"),
			  "A parent is the table that foreign keys point to.");
	refuse_if(check->parent_columns && list_length(check->parent_columns) !=
										   list_length(check->columns),
			  check,
			  psprintf("It has %d columns, and %d parent_columns.",
					   list_length(check->columns),
					   list_length(check->parent_columns)),
			  "Name a column of the parent for each column, or none where they have the same names.");
	refuse_if(need->condition != (check->condition != NULL),
			  check,
			  psprintf("Kind %s %s condition.",
					   kind,
					   need->condition ? "needs a" : "takes no"),
			  "Kind condition takes a condition on a row; kind query takes a query that finds what is wrong.");
	check_shares(check);
	refuse_if(check->kind == SYNC_CHECK_ROW_COUNT && subject->incremental,
			  check,
			  "The stream has a watermark, and its runs read what is new: one says nothing of the next.",
			  "A check of kind query can count the rows of the target.");

	if (check->kind == SYNC_CHECK_ROW_COUNT)
		return;
	if (check->kind == SYNC_CHECK_CONDITION)
		(void) sync_kit_parse_expression(check->condition,
										 psprintf("the condition of %s",
												  check->label));
	if (check->kind == SYNC_CHECK_QUERY)
		sync_kit_check_query(check->condition,
							 psprintf("the query of %s", check->label));
	error_context_stack = &frame;
	(void) sync_kit_spi_describe(sync_check_compose_count(check, subject));
	(void) sync_kit_spi_describe(sync_check_compose_sample(check, subject, 1));
	error_context_stack = frame.previous;
}

/*
 * Shares are numbers that can be met.
 */
static void
check_shares(SyncCheck *check)
{
	const KindNeeds *need = &needs[check->kind];
	const char *kind = sync_check_kind_name(check->kind);
	double min_share = check->min_share ? strtod(check->min_share, NULL) : 0;
	double max_share = check->max_share ? strtod(check->max_share, NULL) : 1;
	bool counts = check->kind == SYNC_CHECK_ROW_COUNT;

	refuse_if(check->min_share && !need->min_share,
			  check,
			  psprintf("Kind %s takes no min_share.", kind),
			  "A query must find nothing.");
	refuse_if(check->max_share && !need->max_share,
			  check,
			  psprintf("Kind %s takes no max_share.", kind),
			  "Only kind row_count has a share that can be too large.");
	refuse_if(counts && !check->min_share && !check->max_share,
			  check,
			  "It does not say how many rows are too few or too many.",
			  "Give min_share or max_share, shares of the rows of the run before: min_share => 0.8, max_share => 2.");
	refuse_if(!(min_share >= 0 && (min_share <= 1 || counts)),
			  check,
			  psprintf("min_share is %s.", check->min_share),
			  "It is a share, between 0 and 1.");
	refuse_if(!(max_share >= 0),
			  check,
			  psprintf("max_share is %s.", check->max_share),
			  "It is a share, at least 0.");
	refuse_if(check->min_share && check->max_share && min_share > max_share,
			  check,
			  psprintf("min_share %s is more than max_share %s.",
					   check->min_share,
					   check->max_share),
			  "No number of rows is between them.");
}

/*
 * Raise that the check cannot be as it is defined, where something is wrong.
 */
static void
refuse_if(bool wrong, SyncCheck *check, const char *why, const char *hint)
{
	if (wrong)
		sync_kit_refuse(check->label, why, hint);
}

/*
 * Error context: which check was looked at.
 */
static void
name_check(void *check)
{
	/* the statement around it is not the user's */
	errposition(0);
	internalerrposition(0);
	internalerrquery(NULL);
	errcontext("%s", ((SyncCheck *) check)->label);
}
