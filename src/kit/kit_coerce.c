/*-------------------------------------------------------------------------
 *
 * kit_coerce.c
 *	  Making values fit columns, as an assignment does.
 *
 * SQL can ask for this by nothing but an INSERT or UPDATE: a cast in a query
 * cuts a text that is too long, an assignment refuses it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "kit/kit_coerce.h"

/* From one type, length and precision to another */
struct SyncCoercion
{
	ExprState *state;
	ExprContext *context;
};

/*
 * How values of one column become values of another.  Returns NULL where
 * nothing has to be done; raises where no assignment does it.  Lives in the
 * current memory context.
 */
SyncCoercion *
sync_kit_coercion_create(Form_pg_attribute from, Form_pg_attribute to)
{
	CaseTestExpr *value = makeNode(CaseTestExpr);
	SyncCoercion *coercion;
	Node *coerced;

	value->typeId = from->atttypid;
	value->typeMod = from->atttypmod;
	value->collation = from->attcollation;
	coerced =
		coerce_to_target_type(NULL,
							  (Node *) value,
							  from->atttypid,
							  to->atttypid,
							  to->atttypmod,
							  COERCION_ASSIGNMENT,
							  COERCE_IMPLICIT_CAST,
							  -1);
	if (coerced == NULL)
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("column \"%s\" is of type %s but the source has type %s",
					   NameStr(to->attname),
					   format_type_be(to->atttypid),
					   format_type_be(from->atttypid)));
	if (coerced == (Node *) value)
		return NULL;

	coercion = palloc0(sizeof(SyncCoercion));
	coercion->state = ExecInitExpr(expression_planner((Expr *) coerced), NULL);
	coercion->context = CreateStandaloneExprContext();
	return coercion;
}

/*
 * The same where the type may be cast to, as in a query, and its length and
 * precision are then assigned.
 */
SyncCoercion *
sync_kit_cast_create(Form_pg_attribute from, Form_pg_attribute to)
{
	CaseTestExpr *value = makeNode(CaseTestExpr);
	SyncCoercion *coercion;
	Node *cast;

	value->typeId = from->atttypid;
	value->typeMod = from->atttypmod;
	value->collation = from->attcollation;
	cast = sync_kit_cast_tree((Node *) value, to);
	if (cast == (Node *) value)
		return NULL;

	coercion = palloc0(sizeof(SyncCoercion));
	coercion->state = ExecInitExpr(expression_planner((Expr *) cast), NULL);
	coercion->context = CreateStandaloneExprContext();
	return coercion;
}

/*
 * An expression made fit for a column: cast to its bare type, and assigned to
 * it.  Raises where there is no such cast.
 */
Node *
sync_kit_cast_tree(Node *value, Form_pg_attribute to)
{
	Oid base = getBaseType(to->atttypid);
	Node *cast =
		coerce_to_target_type(NULL,
							  value,
							  exprType(value),
							  base,
							  -1,
							  COERCION_EXPLICIT,
							  COERCE_EXPLICIT_CAST,
							  -1);

	if (cast == NULL)
		ereport(ERROR,
				errcode(ERRCODE_CANNOT_COERCE),
				errmsg("column \"%s\" is of type %s, and %s cannot be cast to that",
					   NameStr(to->attname),
					   format_type_be(to->atttypid),
					   format_type_be(exprType(value))));
	return coerce_to_target_type(NULL,
								 cast,
								 base,
								 to->atttypid,
								 to->atttypmod,
								 COERCION_ASSIGNMENT,
								 COERCE_IMPLICIT_CAST,
								 -1);
}

/*
 * Coerce one value; the result lives in the current memory context or is the
 * value itself.
 */
Datum
sync_kit_coerce(SyncCoercion *coercion, Datum value, bool *isnull)
{
	coercion->context->caseValue_datum = value;
	coercion->context->caseValue_isNull = *isnull;
	return ExecEvalExpr(coercion->state, coercion->context, isnull);
}
