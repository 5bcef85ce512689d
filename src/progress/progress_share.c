/*-------------------------------------------------------------------------
 *
 * progress_share.c
 *	  Two rules that read the same evidence, and can do so once.
 *
 * Where the key of one rule is a part of the other's, what has been grouped by
 * the longer key need only be grouped again: competitions of seasons.  Both
 * rules are then applied in one statement, in which neither sees what the other
 * does.  Where that could matter, or a value could come out otherwise, they
 * are applied one after the other.
 *
 * Where both read touched keys only, the coarser rule reads all of a competition,
 * and the finer one finds in that what it needs, if it is there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"

#include "kit/kit_expr.h"
#include "kit/kit_ident.h"
#include "kit/kit_words.h"
#include "progress/progress.h"

static bool keep_apart(SyncRule *a, SyncRule *b);
static bool looks_at(SyncRule *rule, SyncRelation *relation);
static bool asks_elsewhere(SyncRule *rule);
static bool has_query(const char *expression);
static bool derives_from(SyncRule *coarse, SyncRule *fine);
static int find_key(SyncRule *rule, const char *column);
static bool share_touched(SyncRule *coarse,
						  SyncRule *fine,
						  SyncRuleScope *coarse_scope,
						  SyncRuleScope *fine_scope,
						  SyncRuleScope *scope);
static List *read_texts(ParamExternData *param);
static int compare_texts(const ListCell *a, const ListCell *b);

/*
 * Let two rules that follow one another share their evidence, mark them so, and
 * let "scope", the first one's, serve for both; the second one has "other".
 * Returns false, and leaves them as they are, where they cannot.
 */
bool
sync_progress_share(SyncRule *first,
					SyncRule *second,
					SyncRuleScope *scope,
					SyncRuleScope *other)
{
	bool same_rows = sync_progress_same_family(first, second) &&
					 strcmp(first->filter ? first->filter : "",
							second->filter ? second->filter : "") == 0;

	if (!same_rows || !keep_apart(first, second))
		return false;
	if (derives_from(first, second) &&
		share_touched(first, second, scope, other, scope))
	{
		first->finer = second;
		second->coarser = first;
	}
	else if (derives_from(second, first) &&
			 share_touched(second, first, other, scope, scope))
	{
		second->finer = first;
		first->coarser = second;
	}
	else
		return false;
	second->mark = "2";
	return true;
}

/*
 * Whether neither rule can tell whether the other has been applied.
 */
static bool
keep_apart(SyncRule *a, SyncRule *b)
{
	return a->progress->stands_alone && b->progress->stands_alone &&
		   strcmp(a->progress->qualified, b->progress->qualified) != 0 &&
		   a->evidence->kind != RELKIND_VIEW && !looks_at(a, b->progress) &&
		   !looks_at(b, a->progress) && !asks_elsewhere(a) &&
		   !asks_elsewhere(b);
}

/*
 * Whether a rule reads that relation, as evidence or to look up a value.
 */
static bool
looks_at(SyncRule *rule, SyncRelation *relation)
{
	ListCell *cell;

	if (strcmp(rule->evidence->qualified, relation->qualified) == 0)
		return true;
	foreach(cell, rule->inserts)
	{
		SyncRelation *lookup = ((SyncInsertColumn *) lfirst(cell))->lookup;

		if (lookup && (lookup->kind == RELKIND_VIEW ||
					   strcmp(lookup->qualified, relation->qualified) == 0))
			return true;
	}
	return false;
}

/*
 * Whether a rule has queries of its own in its expressions.
 */
static bool
asks_elsewhere(SyncRule *rule)
{
	ListCell *cell;

	if (has_query(rule->filter) || has_query(rule->validation))
		return true;
	foreach(cell, rule->counters)
		if (has_query(((SyncCounter *) lfirst(cell))->expression))
			return true;
	foreach(cell, rule->inserts)
		if (has_query(((SyncInsertColumn *) lfirst(cell))->fallback))
			return true;
	return false;
}

/*
 * Whether an expression (NULL: none) has a query in it.
 */
static bool
has_query(const char *expression)
{
	return expression &&
		   sync_kit_has_query(sync_kit_parse_expression(expression,
														"expression"));
}

/*
 * Whether the evidence of one rule can be made of that of another: its key and
 * what it counts the distinct values of are the other's key, by the same
 * values, and all else can be computed of parts.
 */
static bool
derives_from(SyncRule *coarse, SyncRule *fine)
{
	const char *counted = sync_progress_counted(coarse);
	ListCell *cell;

	if (coarse->validation || sync_progress_counted(fine) ||
		(counted && list_length(fine->key) > list_length(coarse->key) + 1))
		return false;
	foreach(cell, coarse->counters)
	{
		SyncCounter *counter = lfirst(cell);

		if (counter->counted == NULL && counter->outer == NULL)
			return false;
	}
	for (int i = 0; i < list_length(coarse->key); i++)
	{
		int at = find_key(fine, list_nth(coarse->key, i));

		if (at < 0 || strcmp(sync_progress_key_value(coarse, i),
							 sync_progress_key_value(fine, at)) != 0)
			return false;
	}
	if (counted)
	{
		int at = find_key(fine, counted);

		/* values that progress takes for one are several to be counted */
		if (find_key(coarse, counted) >= 0 || at < 0 ||
			strcmp(sync_progress_key_value(fine, at),
				   psprintf("t.%s", sync_kit_quote(counted))) != 0)
			return false;
	}
	return true;
}

/*
 * The position of a column in a rule's key, or -1.
 */
static int
find_key(SyncRule *rule, const char *column)
{
	ListCell *cell;

	foreach(cell, rule->key)
		if (strcmp(lfirst(cell), column) == 0)
			return foreach_current_index(cell);
	return -1;
}

/*
 * Whether two rules read all of their evidence, or what the finer one is to read
 * is part of what the coarser one reads: whole competitions.  If so, "scope"
 * has the touched keys of both, the coarser one's first.
 */
static bool
share_touched(SyncRule *coarse,
			  SyncRule *fine,
			  SyncRuleScope *coarse_scope,
			  SyncRuleScope *fine_scope,
			  SyncRuleScope *scope)
{
	ParamListInfo touched;
	List *read;
	List *wanted;
	ListCell *have;
	ListCell *cell;
	int n = list_length(fine->key);

	if (coarse_scope->touched == NULL || fine_scope->touched == NULL)
		return coarse_scope->touched == fine_scope->touched;
	if (list_length(coarse->key) != 1 || coarse_scope->null_keys ||
		fine_scope->null_keys)
		return false;

	read = read_texts(&coarse_scope->touched->params[0]);
	wanted = read_texts(&fine_scope->touched
							 ->params[find_key(fine, linitial(coarse->key))]);
	have = list_head(read);
	foreach(cell, wanted)
	{
		while (have && strcmp(lfirst(have), lfirst(cell)) < 0)
			have = lnext(read, have);
		if (have == NULL || strcmp(lfirst(have), lfirst(cell)) != 0)
			return false;
	}

	touched = makeParamList(1 + n);
	touched->params[0] = coarse_scope->touched->params[0];
	memcpy(&touched->params[1],
		   fine_scope->touched->params,
		   n * sizeof(ParamExternData));
	scope->nfiner = fine_scope->ntouched;
	scope->ntouched = coarse_scope->ntouched;
	scope->touched = touched;
	return true;
}

/*
 * The texts of an array without NULLs, in an order.
 */
static List *
read_texts(ParamExternData *param)
{
	List *texts = sync_kit_array_texts(param->value);

	list_sort(texts, compare_texts);
	return texts;
}

/*
 * Order texts by their bytes.
 */
static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}
