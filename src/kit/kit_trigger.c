/*-------------------------------------------------------------------------
 *
 * kit_trigger.c
 *	  The rows that a trigger is called for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "kit/kit_trigger.h"

/*
 * A column of a row as text, NULL where it is NULL.
 */
char *
sync_kit_trigger_text(TriggerData *trigger, HeapTuple tuple, const char *column)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	AttrNumber number =
		get_attnum(RelationGetRelid(trigger->tg_relation), column);
	bool isnull;
	Datum value = heap_getattr(tuple, number, desc, &isnull);
	Oid output;
	bool varlena;

	if (isnull)
		return NULL;
	getTypeOutputInfo(TupleDescAttr(desc, number - 1)->atttypid,
					  &output,
					  &varlena);
	return OidOutputFunctionCall(output, value);
}

/*
 * The row with a column of type boolean set to false.
 */
HeapTuple
sync_kit_trigger_set_false(TriggerData *trigger,
						   HeapTuple tuple,
						   const char *column)
{
	int number = get_attnum(RelationGetRelid(trigger->tg_relation), column);
	Datum value = BoolGetDatum(false);
	bool isnull = false;

	return heap_modify_tuple_by_cols(tuple,
									 RelationGetDescr(trigger->tg_relation),
									 1,
									 &number,
									 &value,
									 &isnull);
}
