/*-------------------------------------------------------------------------
 *
 * kit_json.c
 *	  Looking into jsonb, and making some.
 *
 * Parsing and jsonpath are the server's; what is here makes their use short.
 * Values point into the jsonb that they were found in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonpath.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "kit/kit_compat.h"
#include "kit/kit_json.h"

static List *plain_names(const char *text);
static bool follow(JsonbValue **value, List *names);

/*
 * Is this text JSON?  Raises nothing.
 */
bool
sync_kit_json_is_valid(const char *text)
{
	JsonLexContext *lexer = sync_compat_json_lexer(pstrdup(text),
												   strlen(text),
												   GetDatabaseEncoding());

	return pg_parse_json(lexer, &nullSemAction) == JSON_SUCCESS;
}

/*
 * Parse JSON.  Raises where it is none.
 */
Jsonb *
sync_kit_json_parse(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/*
 * A value as jsonb of its own.
 */
Jsonb *
sync_kit_json_of(JsonbValue *value)
{
	return JsonbValueToJsonb(value);
}

/*
 * The value that a jsonb is.
 */
JsonbValue *
sync_kit_json_value(Jsonb *json)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	if (JB_ROOT_IS_SCALAR(json))
	{
		JsonbExtractScalar(&json->root, value);
		return value;
	}
	value->type = jbvBinary;
	value->val.binary.data = &json->root;
	value->val.binary.len = VARSIZE(json) - VARHDRSZ;
	return value;
}

/*
 * A member of an object; NULL where there is none, or no object.
 */
JsonbValue *
sync_kit_json_member(JsonbValue *object, const char *name)
{
	if (!sync_kit_json_is_object(object))
		return NULL;
	return getKeyJsonValueFromContainer(object->val.binary.data,
										name,
										strlen(name),
										NULL);
}

/*
 * Has an object no member of that name?
 */
bool
sync_kit_json_lacks(JsonbValue *object, const char *name)
{
	return sync_kit_json_member(object, name) == NULL;
}

/*
 * The members of an object, as SyncJsonMember; NIL where it is none.
 */
List *
sync_kit_json_members(JsonbValue *object)
{
	List *members = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;
	SyncJsonMember *member = NULL;

	if (!sync_kit_json_is_object(object))
		return NIL;
	iterator = JsonbIteratorInit(object->val.binary.data);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			member = palloc(sizeof(SyncJsonMember));
			member->name = pnstrdup(value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			member->value = palloc(sizeof(JsonbValue));
			*member->value = value;
			members = lappend(members, member);
		}
	}
	return members;
}

/*
 * The elements of an array, as JsonbValue; NIL where it is none.
 */
List *
sync_kit_json_elements(JsonbValue *array)
{
	List *elements = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;

	if (!sync_kit_json_is_array(array))
		return NIL;
	iterator = JsonbIteratorInit(array->val.binary.data);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
		{
			JsonbValue *element = palloc(sizeof(JsonbValue));

			*element = value;
			elements = lappend(elements, element);
		}
	}
	return elements;
}

/*
 * Is this an object?
 */
bool
sync_kit_json_is_object(JsonbValue *value)
{
	return value && value->type == jbvBinary &&
		   JsonContainerIsObject(value->val.binary.data);
}

/*
 * Is this an array?
 */
bool
sync_kit_json_is_array(JsonbValue *value)
{
	return value && value->type == jbvBinary &&
		   JsonContainerIsArray(value->val.binary.data) &&
		   !JsonContainerIsScalar(value->val.binary.data);
}

/*
 * A value as text: a string as it is, NULL for null and for none at all.
 */
char *
sync_kit_json_text(JsonbValue *value)
{
	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case jbvNull:
			return NULL;
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val
																		   .numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvBinary:
			return JsonbToCString(NULL,
								  value->val.binary.data,
								  value->val.binary.len);
		default:
			{
				Jsonb *json = JsonbValueToJsonb(value);

				return JsonbToCString(NULL, &json->root, VARSIZE(json));
			}
	}
}

/*
 * A member as text.
 */
char *
sync_kit_json_string(JsonbValue *object, const char *name)
{
	return sync_kit_json_text(sync_kit_json_member(object, name));
}

/*
 * A member as a whole number.
 */
int64
sync_kit_json_integer(JsonbValue *object, const char *name, int64 otherwise)
{
	JsonbValue *value = sync_kit_json_member(object, name);

	if (value == NULL || value->type != jbvNumeric)
		return otherwise;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8,
											 NumericGetDatum(value->val
																 .numeric)));
}

/*
 * A member as true or false.
 */
bool
sync_kit_json_boolean(JsonbValue *object, const char *name, bool otherwise)
{
	JsonbValue *value = sync_kit_json_member(object, name);

	return value && value->type == jbvBool ? value->val.boolean : otherwise;
}

/*
 * What kind of value this is, as JSON calls it.
 */
const char *
sync_kit_json_type(JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "string";
		case jbvNumeric:
			return "number";
		case jbvBool:
			return "boolean";
		default:
			return sync_kit_json_is_array(value) ? "array" : "object";
	}
}

/*
 * A string, or null where there is none.
 */
JsonbValue *
sync_kit_json_new_text(const char *text)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	value->type = text ? jbvString : jbvNull;
	if (text)
	{
		value->val.string.len = strlen(text);
		value->val.string.val = pstrdup(text);
	}
	return value;
}

/*
 * A whole number.
 */
JsonbValue *
sync_kit_json_new_integer(int64 number)
{
	JsonbValue *value = palloc0(sizeof(JsonbValue));

	value->type = jbvNumeric;
	value->val.numeric = int64_to_numeric(number);
	return value;
}

/*
 * Append a text to an object that is being written as text and has a member
 * already, unless it is NULL.
 */
void
sync_kit_json_append(StringInfo json, const char *name, const char *text)
{
	if (text == NULL)
		return;
	appendStringInfo(json, ", \"%s\": ", name);
	escape_json(json, text);
}

/*
 * Begin an object.
 */
void
sync_kit_json_begin(JsonbParseState **object)
{
	(void) pushJsonbValue(object, WJB_BEGIN_OBJECT, NULL);
}

/*
 * Add a member to an object that was begun; NULL is null.
 */
void
sync_kit_json_put(JsonbParseState **object, const char *name, JsonbValue *value)
{
	(void) pushJsonbValue(object, WJB_KEY, sync_kit_json_new_text(name));
	(void) pushJsonbValue(object,
						  WJB_VALUE,
						  value ? value : sync_kit_json_new_text(NULL));
}

/*
 * End an object, in the current memory context.
 */
Jsonb *
sync_kit_json_end(JsonbParseState **object)
{
	return JsonbValueToJsonb(pushJsonbValue(object, WJB_END_OBJECT, NULL));
}

/*
 * Parse a jsonpath.  Raises where it is none.
 */
SyncJsonPath *
sync_kit_json_path(const char *text)
{
	SyncJsonPath *path = palloc0(sizeof(SyncJsonPath));

	path->text = pstrdup(text);
	path->path = DirectFunctionCall1(jsonpath_in, CStringGetDatum(text));
	path->names = plain_names(text);
	return path;
}

/*
 * All that a path finds, as JsonbValue.
 */
List *
sync_kit_json_find(JsonbValue *document, SyncJsonPath *path)
{
	static Jsonb *nothing = NULL;
	Datum found;

	if (document == NULL)
		return NIL;
	if (nothing == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		nothing = sync_kit_json_parse("{}");
		MemoryContextSwitchTo(caller);
	}
	found = DirectFunctionCall4(jsonb_path_query_array,
								JsonbPGetDatum(JsonbValueToJsonb(document)),
								path->path,
								JsonbPGetDatum(nothing),
								BoolGetDatum(false));
	return sync_kit_json_elements(sync_kit_json_value(DatumGetJsonbP(found)));
}

/*
 * What the first of several paths finds that finds something.
 */
List *
sync_kit_json_find_first(JsonbValue *document, List *paths)
{
	ListCell *cell;

	foreach(cell, paths)
	{
		List *found = sync_kit_json_find(document, lfirst(cell));

		if (found)
			return found;
	}
	return NIL;
}

/*
 * The first value that a path finds, NULL where there is none.
 */
JsonbValue *
sync_kit_json_find_one(JsonbValue *document, SyncJsonPath *path)
{
	JsonbValue *value = document;
	List *found;

	if (strcmp(path->text, "$") == 0 ||
		(path->names && follow(&value, path->names)))
		return value;
	found = sync_kit_json_find(document, path);
	return found ? linitial(found) : NULL;
}

/*
 * Does a path find something, or, where it is a predicate, is that true?
 */
bool
sync_kit_json_holds(JsonbValue *document, SyncJsonPath *path)
{
	JsonbValue *found = sync_kit_json_find_one(document, path);

	return found && found->type != jbvNull &&
		   (found->type != jbvBool || found->val.boolean);
}

/*
 * The names of a path as $.name.other, NIL where it is of another form.
 */
static List *
plain_names(const char *text)
{
	List *names = NIL;

	if (*text++ != '$')
		return NIL;
	while (*text == '.')
	{
		size_t length = strspn(++text,
							   "abcdefghijklmnopqrstuvwxyz"
							   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

		if (length == 0 || (*text >= '0' && *text <= '9'))
			return NIL;
		names = lappend(names, pnstrdup(text, length));
		text += length;
	}
	return *text == '\0' ? names : NIL;
}

/*
 * Follow names into an object, as far as there is something.  False where an
 * array is on the way: the executor looks into its elements.
 */
static bool
follow(JsonbValue **value, List *names)
{
	ListCell *cell;

	foreach(cell, names)
	{
		if (sync_kit_json_is_array(*value))
			return false;
		*value = sync_kit_json_member(*value, lfirst(cell));
		if (*value == NULL)
			break;
	}
	return true;
}
