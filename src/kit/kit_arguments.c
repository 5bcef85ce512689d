/*-------------------------------------------------------------------------
 *
 * kit_arguments.c
 *	  What functions that SQL calls are called with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "kit/kit_arguments.h"

/*
 * An argument of type text as a string, NULL where it is NULL.
 */
const char *
sync_kit_text_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/*
 * An argument of type text[] as a list of strings, NIL where it is NULL.
 * "name" is what users call it.
 */
List *
sync_kit_texts_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	List *texts = NIL;
	Datum *values;
	bool *nulls;
	int count;

	if (PG_ARGISNULL(i))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(i),
					  TEXTOID,
					  -1,
					  false,
					  TYPALIGN_INT,
					  &values,
					  &nulls,
					  &count);
	for (int n = 0; n < count; n++)
	{
		if (nulls[n])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("element %d of %s must not be NULL", n + 1, name));
		texts = lappend(texts, TextDatumGetCString(values[n]));
	}
	return texts;
}
