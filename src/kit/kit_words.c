/*-------------------------------------------------------------------------
 *
 * kit_words.c
 *	  Words to choose from, and lists of names, as tables keep them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"

/*
 * The position of a word, which has to be one of those.  "argument" and "label"
 * say in the error what it was for.
 */
int
sync_kit_find_word(const char *const *words,
				   int nwords,
				   const char *word,
				   const char *argument,
				   const char *label)
{
	StringInfoData known;

	for (int i = 0; word && i < nwords; i++)
		if (strcmp(words[i], word) == 0)
			return i;

	initStringInfo(&known);
	for (int i = 0; i < nwords; i++)
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", words[i]);
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unrecognized %s of %s: \"%s\"",
				   argument,
				   label,
				   word ? word : "NULL"),
			errhint("It is one of %s.", known.data));
}

/*
 * The elements of an array of texts, which are NULL where they are NULL.
 */
List *
sync_kit_array_texts(Datum array)
{
	List *texts = NIL;
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(DatumGetArrayTypeP(array),
					  TEXTOID,
					  -1,
					  false,
					  TYPALIGN_INT,
					  &values,
					  &nulls,
					  &count);
	for (int i = 0; i < count; i++)
		texts =
			lappend(texts, nulls[i] ? NULL : TextDatumGetCString(values[i]));
	return texts;
}

/*
 * The same of the text of an array, NIL where it is NULL.
 */
List *
sync_kit_read_texts(const char *array)
{
	if (array == NULL)
		return NIL;
	return sync_kit_array_texts(OidInputFunctionCall(F_ARRAY_IN,
													 pstrdup(array),
													 TEXTOID,
													 -1));
}

/*
 * The names in the text of an array, NIL where it is NULL.
 */
List *
sync_kit_read_names(const char *array)
{
	List *names = sync_kit_read_texts(array);
	ListCell *cell;

	foreach(cell, names)
		if (lfirst(cell) == NULL)
			lfirst(cell) = "";
	return names;
}

/*
 * Let a parameter be an array of names; NULL where there are none.
 */
void
sync_kit_set_names(ParamExternData *param, List *names)
{
	Datum *values = palloc(list_length(names) * sizeof(Datum));
	bool *nulls = palloc0(list_length(names) * sizeof(bool));
	ListCell *cell;

	if (names == NIL)
	{
		param->ptype = TEXTARRAYOID;
		param->isnull = true;
		return;
	}
	foreach(cell, names)
		values[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	sync_kit_set_texts(param, list_length(names), values, nulls);
}

/*
 * Names for a message or for SQL: "a", "b".
 */
char *
sync_kit_list_names(List *names)
{
	StringInfoData list;
	ListCell *cell;

	initStringInfo(&list);
	foreach(cell, names)
		appendStringInfo(&list,
						 "%s%s",
						 list.len > 0 ? ", " : "",
						 sync_kit_quote(lfirst(cell)));
	return list.data;
}

/*
 * Is that one of the names?
 */
bool
sync_kit_has_name(List *names, const char *name)
{
	ListCell *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}
