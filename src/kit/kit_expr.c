/*-------------------------------------------------------------------------
 *
 * kit_expr.c
 *	  SQL expressions and queries that users write into definitions.
 *
 * They are read with the server's own grammar, so that a text which would
 * end the statement that it is put into is refused when it is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "parser/parser.h"

#include "kit/kit_expr.h"

/* What the error context needs to say about a text under the parser */
typedef struct ExpressionContext
{
	const char *text;
	const char *what;
} ExpressionContext;

static Node *only_target(const char *text, const char *format);
static bool has_no_value(Node *node, void *context);
static bool is_query(Node *node, void *context);
static bool has_groups(Node *node, void *context);
static bool has_outer_join(Node *node, void *context);
static void report_expression(void *arg);
static FuncCall *plain_call(Node *expression);

/*
 * Parse "text" as one SQL expression.  "what" names it in errors, as in
 * "counter "n" of rule "r"".  Returns the raw tree in the current memory
 * context; raises where the text is no single expression.
 */
Node *
sync_kit_parse_expression(const char *text, const char *what)
{
	ExpressionContext where = {text, what};
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = report_expression,
		.arg = &where,
	};
	Node *expression;

	error_context_stack = &frame;
	/* bare, nothing can close the parentheses; in them, nothing can follow */
	expression = only_target(text, "SELECT\n%s\n");
	if (expression == NULL || only_target(text, "SELECT (\n%s\n)") == NULL ||
		has_no_value(expression, NULL))
		ereport(ERROR,
				errcode(ERRCODE_SYNTAX_ERROR),
				errmsg("%s is not a single SQL expression", what),
				errdetail("It reads: %s", text));
	error_context_stack = frame.previous;
	return expression;
}

/*
 * Parse a statement that "format" makes of the text.  Returns its target where
 * it has one and nothing else, or NULL.
 */
static Node *
only_target(const char *text, const char *format)
{
	List *trees = raw_parser(psprintf(format, text), RAW_PARSE_DEFAULT);
	SelectStmt bare = {.type = T_SelectStmt};
	SelectStmt *select;
	ResTarget *target;

	if (list_length(trees) != 1)
		return NULL;
	select = (SelectStmt *) linitial_node(RawStmt, trees)->stmt;
	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1)
		return NULL;

	bare.targetList = select->targetList;
	bare.limitOption = select->limitOption;
	target = linitial_node(ResTarget, select->targetList);
	return target->name == NULL && equal(select, &bare) ? target->val : NULL;
}

/*
 * Whether there is something in the tree that has no value in a rule: a
 * parameter or DEFAULT.
 */
static bool
has_no_value(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ParamRef) || IsA(node, SetToDefault))
		return true;
	return raw_expression_tree_walker(node, has_no_value, context);
}

/*
 * Whether there is a query within an expression, given as a raw tree.
 */
bool
sync_kit_has_query(Node *expression)
{
	return is_query(expression, NULL);
}

/*
 * Whether a node is a query, or one below it.
 */
static bool
is_query(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		return true;
	return raw_expression_tree_walker(node, is_query, context);
}

/*
 * Raise unless "text" is one SELECT, VALUES or TABLE statement, which can be
 * put between parentheses.  "what" names it in errors.
 */
void
sync_kit_check_query(const char *text, const char *what)
{
	ExpressionContext where = {text, what};
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = report_expression,
		.arg = &where,
	};
	StringInfoData statement;
	List *trees;

	/* parentheses let no second statement follow */
	initStringInfo(&statement);
	appendStringInfo(&statement, "SELECT FROM (\n%s\n) AS source", text);

	error_context_stack = &frame;
	trees = raw_parser(text, RAW_PARSE_DEFAULT);
	if (list_length(trees) != 1 ||
		!IsA(linitial_node(RawStmt, trees)->stmt, SelectStmt) ||
		((SelectStmt *) linitial_node(RawStmt, trees)->stmt)->intoClause)
		ereport(ERROR,
				errcode(ERRCODE_SYNTAX_ERROR),
				errmsg("%s is not a single query", what),
				errhint("Give one SELECT, VALUES or TABLE statement."));
	(void) raw_parser(statement.data, RAW_PARSE_DEFAULT);
	error_context_stack = frame.previous;
}

/*
 * Whether a query that was checked groups rows anywhere.
 */
bool
sync_kit_query_groups(const char *text)
{
	List *trees = raw_parser(text, RAW_PARSE_DEFAULT);

	return has_groups(linitial_node(RawStmt, trees)->stmt, NULL);
}

/*
 * Whether there is a GROUP BY in the tree.
 */
static bool
has_groups(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SelectStmt) && ((SelectStmt *) node)->groupClause != NIL)
		return true;
	return raw_expression_tree_walker(node, has_groups, context);
}

/*
 * Whether a query that was checked has an outer join anywhere: then a row may
 * have no value in a column of a table that has one in all its rows.
 */
bool
sync_kit_query_joins_outer(const char *text)
{
	List *trees = raw_parser(text, RAW_PARSE_DEFAULT);

	return has_outer_join(linitial_node(RawStmt, trees)->stmt, NULL);
}

/*
 * Whether there is a LEFT, RIGHT or FULL JOIN in the tree.
 */
static bool
has_outer_join(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, JoinExpr) && ((JoinExpr *) node)->jointype != JOIN_INNER)
		return true;
	return raw_expression_tree_walker(node, has_outer_join, context);
}

/*
 * Parse "text" as a list as it stands after SELECT.  "what" names it in errors.
 * Returns the ResTargets in the current memory context; raises where the text
 * is something else, or more.
 */
List *
sync_kit_parse_targets(const char *text, const char *what)
{
	ExpressionContext where = {text, what};
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = report_expression,
		.arg = &where,
	};
	SelectStmt bare = {.type = T_SelectStmt};
	List *targets = NIL;
	List *trees;

	error_context_stack = &frame;
	trees = raw_parser(psprintf("SELECT\n%s\n", text), RAW_PARSE_DEFAULT);
	if (list_length(trees) == 1 &&
		IsA(linitial_node(RawStmt, trees)->stmt, SelectStmt))
	{
		SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, trees)->stmt;

		targets = bare.targetList = select->targetList;
		bare.limitOption = select->limitOption;
		if (!equal(select, &bare) || has_no_value((Node *) targets, NULL))
			targets = NIL;
	}
	if (targets == NIL)
		ereport(ERROR,
				errcode(ERRCODE_SYNTAX_ERROR),
				errmsg("%s are not a list of columns", what),
				errdetail("It reads: %s", text),
				errhint("Write it as after SELECT, and nothing behind it."));
	error_context_stack = frame.previous;
	return targets;
}

/*
 * For an expression of the form count(DISTINCT column), the name of the
 * column; NULL for any other.
 */
char *
sync_kit_counted_column(Node *expression)
{
	FuncCall *call = plain_call(expression);
	ColumnRef *column;

	if (call == NULL || !call->agg_distinct || list_length(call->args) != 1 ||
		strcmp(strVal(linitial(call->funcname)), "count") != 0)
		return NULL;
	column = linitial(call->args);
	if (!IsA(column, ColumnRef) || list_length(column->fields) != 1 ||
		!IsA(linitial(column->fields), String))
		return NULL;
	return strVal(linitial(column->fields));
}

/*
 * For a plain aggregate that can be taken of parts and then of the parts'
 * results, the name of the second one: sum for count(...) and sum(...), min
 * and max for themselves.  NULL for any other expression.
 */
const char *
sync_kit_simple_aggregate(Node *expression)
{
	FuncCall *call = plain_call(expression);
	const char *name;

	if (call == NULL || call->agg_distinct)
		return NULL;
	name = strVal(linitial(call->funcname));
	if (strcmp(name, "count") == 0 || strcmp(name, "sum") == 0)
		return "sum";
	if (strcmp(name, "min") == 0)
		return "min";
	if (strcmp(name, "max") == 0)
		return "max";
	return NULL;
}

/*
 * The call of an unqualified function without FILTER, ORDER BY or OVER, or
 * NULL where the expression is something else.
 */
static FuncCall *
plain_call(Node *expression)
{
	FuncCall *call = (FuncCall *) expression;

	if (!IsA(expression, FuncCall) || list_length(call->funcname) != 1 ||
		call->agg_order != NIL || call->agg_filter != NULL ||
		call->over != NULL || call->agg_within_group || call->func_variadic)
		return NULL;
	return call;
}

/*
 * Error context: show the user's own text, not the statement around it.
 */
static void
report_expression(void *arg)
{
	ExpressionContext *where = arg;

	errposition(0);
	errcontext("%s: %s", where->what, where->text);
}
