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

#include "kit/kit_spi.h"
#include "kit/kit_trigger.h"

/*
 * The value of a column of a row.
 */
Datum
sync_kit_trigger_value(TriggerData *trigger,
					   HeapTuple tuple,
					   const char *column,
					   bool *isnull)
{
	return heap_getattr(tuple,
						get_attnum(RelationGetRelid(trigger->tg_relation),
								   column),
						RelationGetDescr(trigger->tg_relation),
						isnull);
}

/*
 * The same as text, NULL where it is NULL.
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
 * The row with other values in some columns.
 */
HeapTuple
sync_kit_trigger_set(TriggerData *trigger,
					 HeapTuple tuple,
					 const char *const *columns,
					 Datum *values,
					 bool *nulls,
					 int n)
{
	int *numbers = palloc(n * sizeof(int));

	for (int i = 0; i < n; i++)
		numbers[i] =
			get_attnum(RelationGetRelid(trigger->tg_relation), columns[i]);
	return heap_modify_tuple_by_cols(tuple,
									 RelationGetDescr(trigger->tg_relation),
									 n,
									 numbers,
									 values,
									 nulls);
}

/*
 * The row with a column of type boolean set to false.
 */
HeapTuple
sync_kit_trigger_set_false(TriggerData *trigger,
						   HeapTuple tuple,
						   const char *column)
{
	Datum value = BoolGetDatum(false);
	bool isnull = false;

	return sync_kit_trigger_set(trigger, tuple, &column, &value, &isnull, 1);
}

/*
 * Delete, by a statement of ours, what is in the way of the row of that name that
 * is inserted; "making" is true meanwhile, so that the trigger lets it pass.
 */
void
sync_kit_trigger_make_room(bool *making, const char *sql, const char *name)
{
	*making = true;
	PG_TRY();
	{
		(void) sync_kit_spi_run_own(sql,
									sync_kit_text_params(1, &name),
									false,
									NULL,
									NULL);
	}
	PG_FINALLY();
	{
		*making = false;
	}
	PG_END_TRY();
}
