/*-------------------------------------------------------------------------
 *
 * provider_records.c
 *	  The records of an answer: where the definition says they are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/provider_records.h"

static List *extract_columns(JsonbValue *records, JsonbValue *document);
static JsonbValue *as_object(JsonbValue *record,
							 const char *scalar,
							 JsonbValue *holder,
							 JsonbValue *lift);
static void push_members(JsonbParseState **state, JsonbValue *object);

/*
 * The records in a document, as objects (JsonbValue) that point into it.
 */
List *
sync_provider_extract(SyncEndpoint *endpoint, JsonbValue *document)
{
	JsonbValue *definition = endpoint->records;
	char *format = sync_kit_json_string(definition, "format");
	char *scalar = sync_kit_json_string(definition, "scalar");
	JsonbValue *lift = sync_kit_json_member(definition, "lift");
	List *paths = sync_provider_paths(definition, "paths");
	List *each = sync_provider_paths(definition, "each");
	List *records = NIL;
	ListCell *holder;

	if (format && strcmp(format, "columns") == 0)
		return extract_columns(definition, document);
	/* in lax mode it finds the elements of an array, or an object itself */
	if (paths == NIL)
		paths = list_make1(sync_kit_json_path("$[*]"));
	foreach(holder,
			each ? sync_kit_json_find_first(document, each)
				 : list_make1(document))
	{
		List *found = sync_kit_json_find_first(lfirst(holder), paths);
		ListCell *record;

		foreach(record, found)
			records = lappend(records,
							  as_object(lfirst(record),
										scalar ? scalar : "value",
										lfirst(holder),
										lift));
	}
	return records;
}

/*
 * The first text that is not empty of those that the paths of a definition's
 * object find under a name; NULL where there is none.
 */
char *
sync_provider_find_text(JsonbValue *document,
						JsonbValue *object,
						const char *name)
{
	ListCell *cell;

	foreach(cell, sync_provider_paths(object, name))
	{
		char *text =
			sync_kit_json_text(sync_kit_json_find_one(document, lfirst(cell)));

		if (text && text[0])
			return text;
	}
	return NULL;
}

/*
 * Records that come as the names of columns and as rows of values.
 */
static List *
extract_columns(JsonbValue *records, JsonbValue *document)
{
	List *names =
		sync_kit_json_find_first(document,
								 sync_provider_paths(records, "names"));
	List *rows = sync_kit_json_find_first(document,
										  sync_provider_paths(records, "rows"));
	List *objects = NIL;
	ListCell *row;

	if (list_length(names) == 1 && sync_kit_json_is_array(linitial(names)))
		names = sync_kit_json_elements(linitial(names));
	foreach(row, rows)
	{
		List *values = sync_kit_json_elements(lfirst(row));
		JsonbParseState *state = NULL;
		ListCell *name;
		ListCell *value;

		if (list_length(values) != list_length(names))
			ereport(ERROR,
					errcode(ERRCODE_DATA_EXCEPTION),
					errmsg("the answer has a row of %d values, and names for %d",
						   list_length(values),
						   list_length(names)));
		sync_kit_json_begin(&state);
		forboth(name, names, value, values)
			sync_kit_json_put(&state,
							  sync_kit_json_text(lfirst(name)),
							  lfirst(value));
		objects =
			lappend(objects, sync_kit_json_value(sync_kit_json_end(&state)));
	}
	return objects;
}

/*
 * A record as an object: a scalar under a name, with what is lifted from the
 * element that holds it.
 */
static JsonbValue *
as_object(JsonbValue *record,
		  const char *scalar,
		  JsonbValue *holder,
		  JsonbValue *lift)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	if (sync_kit_json_is_object(record) && lift == NULL)
		return record;
	sync_kit_json_begin(&state);
	if (sync_kit_json_is_object(record))
		push_members(&state, record);
	else
		sync_kit_json_put(&state, scalar, record);
	foreach(cell, sync_kit_json_members(lift))
	{
		SyncJsonMember *lifted = lfirst(cell);
		List *found =
			sync_kit_json_find_first(holder,
									 sync_provider_paths(lift, lifted->name));

		sync_kit_json_put(&state, lifted->name, found ? linitial(found) : NULL);
	}
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * Add all members of an object.
 */
static void
push_members(JsonbParseState **state, JsonbValue *object)
{
	ListCell *cell;

	foreach(cell, sync_kit_json_members(object))
	{
		SyncJsonMember *member = lfirst(cell);

		sync_kit_json_put(state, member->name, member->value);
	}
}
