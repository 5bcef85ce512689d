/*-------------------------------------------------------------------------
 *
 * kit_arguments.c
 *	  What functions that SQL calls are called with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "kit/kit_arguments.h"
#include "kit/kit_words.h"

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
	List *texts;
	ListCell *cell;

	if (PG_ARGISNULL(i))
		return NIL;
	texts = sync_kit_array_texts(PG_GETARG_DATUM(i));
	foreach(cell, texts)
		if (lfirst(cell) == NULL)
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("element %d of %s must not be NULL",
						   foreach_current_index(cell) + 1,
						   name));
	return texts;
}
