/*-------------------------------------------------------------------------
 *
 * provider_body.c
 *	  What is sent with a request: values that are asked with, or rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "provider/provider_push.h"
#include "provider/provider_records.h"

static char *compose_rows(SyncFetch *fetch, JsonbValue *body);
static JsonbValue *without_nulls(JsonbValue *object);
static char *compose_array(List *objects);
static char *compose_columns(List *objects, JsonbValue *body);
static char *wrap(SyncFetch *fetch, JsonbValue *body, char *json);
static char *compose_form(SyncFetch *fetch, JsonbValue *body, char *json);
static char *json_of(JsonbValue *value);
static char *name_of(const char *name);
static JsonbValue *typed_value(SyncFetch *fetch,
							   const char *placeholder,
							   JsonbValue *otherwise);
static JsonbValue *fill_json(JsonbParseState **state,
							 JsonbIteratorToken token,
							 JsonbValue *value,
							 SyncFetch *fetch);

/*
 * Add what is sent to a request, if something is.
 */
void
sync_provider_add_body(SyncFetch *fetch, SyncHttpRequest *request)
{
	JsonbValue *body = fetch->endpoint->body;
	char *kind = sync_kit_json_string(body, "kind");
	const char *type = "application/json";
	char *text;

	if (kind == NULL)
		return;
	if (strcmp(kind, "form") == 0)
	{
		text = sync_provider_form(sync_kit_json_member(body, "fields"),
								  &fetch->scope,
								  NULL);
		type = "application/x-www-form-urlencoded";
	}
	else if (strcmp(kind, "json") == 0)
	{
		JsonbParseState *state = NULL;

		text = sync_kit_json_text(fill_json(&state,
											WJB_DONE,
											sync_kit_json_member(body, "value"),
											fetch));
	}
	else
		text = wrap(fetch, body, compose_rows(fetch, body));
	if (strcmp(kind, "form_json") == 0)
	{
		text = compose_form(fetch, body, text);
		type = "application/x-www-form-urlencoded";
	}
	sync_provider_add_header(&request->headers, "Content-Type", type);
	request->body = pg_server_to_any(text, strlen(text), PG_UTF8);
	request->body_length = strlen(request->body);
}

/*
 * The rows at hand as JSON, as the kind of the body wants them.
 */
static char *
compose_rows(SyncFetch *fetch, JsonbValue *body)
{
	char *kind = sync_kit_json_string(body, "kind");
	List *objects = NIL;
	ListCell *cell;

	foreach(cell, fetch->items)
		objects = lappend(objects, ((SyncItem *) lfirst(cell))->object);
	if (strcmp(kind, "object") == 0)
		return json_of(linitial(objects));
	if (strcmp(kind, "columns") == 0)
		return compose_columns(objects, body);
	return compose_array(objects);
}

/*
 * What is sent of a row: the columns that the endpoint makes of it, or all.
 */
JsonbValue *
sync_provider_item_object(SyncFetch *fetch, SyncItem *item)
{
	char *nulls = sync_kit_json_string(fetch->endpoint->body, "nulls");
	SyncScope scope = fetch->scope;
	JsonbValue *object = item->sent;

	if (fetch->endpoint->columns)
	{
		scope.item = sync_provider_item_scope(item);
		object = sync_kit_json_value(sync_provider_make_columns(fetch->endpoint
																	->columns,
																item->row,
																&scope));
	}
	if (nulls && strcmp(nulls, "omit") == 0)
		object = without_nulls(object);
	return object;
}

/*
 * What templates call item: the row, and the id that the provider knows it by.
 */
JsonbValue *
sync_provider_item_scope(SyncItem *item)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	sync_kit_json_begin(&state);
	foreach(cell, sync_kit_json_members(item->row))
	{
		SyncJsonMember *member = lfirst(cell);

		sync_kit_json_put(&state, member->name, member->value);
	}
	sync_kit_json_put(&state,
					  "remote_id",
					  sync_kit_json_new_text(item->remote_id));
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * An object without the members that are null.
 */
static JsonbValue *
without_nulls(JsonbValue *object)
{
	JsonbParseState *state = NULL;
	ListCell *cell;

	sync_kit_json_begin(&state);
	foreach(cell, sync_kit_json_members(object))
	{
		SyncJsonMember *member = lfirst(cell);

		if (member->value->type == jbvNull)
			continue;
		sync_kit_json_put(&state, member->name, member->value);
	}
	return sync_kit_json_value(sync_kit_json_end(&state));
}

/*
 * An array of objects.
 */
static char *
compose_array(List *objects)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(cell, objects)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(&json, ", ");
		appendStringInfoString(&json, json_of(lfirst(cell)));
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/*
 * The names of the columns once, and for each object an array of its values.
 */
static char *
compose_columns(List *objects, JsonbValue *body)
{
	char *names = sync_kit_json_string(body, "names");
	char *rows = sync_kit_json_string(body, "rows");
	List *columns = sync_kit_json_members(linitial(objects));
	StringInfoData json;
	ListCell *cell;
	ListCell *column;

	initStringInfo(&json);
	appendStringInfo(&json, "{%s: [", name_of(names ? names : "columns"));
	foreach(column, columns)
		appendStringInfo(&json,
						 "%s%s",
						 foreach_current_index(column) ? ", " : "",
						 name_of(((SyncJsonMember *) lfirst(column))->name));
	appendStringInfo(&json, "], %s: [", name_of(rows ? rows : "rows"));
	foreach(cell, objects)
	{
		appendStringInfoString(&json,
							   foreach_current_index(cell) ? ", [" : "[");
		foreach(column, columns)
		{
			const char *name = ((SyncJsonMember *) lfirst(column))->name;
			JsonbValue *value = sync_kit_json_member(lfirst(cell), name);

			if (foreach_current_index(column) > 0)
				appendStringInfoString(&json, ", ");
			appendStringInfoString(&json, value ? json_of(value) : "null");
		}
		appendStringInfoChar(&json, ']');
	}
	appendStringInfoString(&json, "]}");
	return json.data;
}

/*
 * Put JSON into the envelope, one object in another where that has dots, and
 * beside the members that the body always has.
 */
static char *
wrap(SyncFetch *fetch, JsonbValue *body, char *json)
{
	char *envelope = sync_kit_json_string(body, "envelope");
	JsonbValue *value = sync_kit_json_member(body, "value");
	StringInfoData wrapped;
	ListCell *cell;
	char *dot;

	if (envelope == NULL)
		return json;
	while ((dot = strrchr(envelope, '.')) != NULL)
	{
		json = psprintf("{%s: %s}", name_of(dot + 1), json);
		*dot = '\0';
	}
	initStringInfo(&wrapped);
	appendStringInfoChar(&wrapped, '{');
	foreach(cell, sync_kit_json_members(value))
	{
		SyncJsonMember *member = lfirst(cell);
		JsonbParseState *state = NULL;

		appendStringInfo(&wrapped,
						 "%s: %s, ",
						 name_of(member->name),
						 json_of(fill_json(&state,
										   WJB_DONE,
										   member->value,
										   fetch)));
	}
	appendStringInfo(&wrapped, "%s: %s}", name_of(envelope), json);
	return wrapped.data;
}

/*
 * A form with JSON in one of its fields.
 */
static char *
compose_form(SyncFetch *fetch, JsonbValue *body, char *json)
{
	char *fields = sync_provider_form(sync_kit_json_member(body, "fields"),
									  &fetch->scope,
									  NULL);

	return psprintf("%s%s%s=%s",
					fields,
					fields[0] ? "&" : "",
					sync_http_encode(sync_kit_json_string(body, "field")),
					sync_http_encode(json));
}

/*
 * Any value as JSON.
 */
static char *
json_of(JsonbValue *value)
{
	Jsonb *json = sync_kit_json_of(value);

	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

/*
 * A name as JSON.
 */
static char *
name_of(const char *name)
{
	return json_of(sync_kit_json_new_text(name));
}

/*
 * The value that a placeholder alone stands for, with its type where it is one
 * that may have another than text.
 */
static JsonbValue *
typed_value(SyncFetch *fetch, const char *placeholder, JsonbValue *otherwise)
{
	const struct
	{
		const char *start;
		JsonbValue *object;
	} scopes[] = {
		{"{param.", fetch->scope.param},
		{"{parent.", fetch->scope.parent},
		{"{item.", fetch->scope.item},
	};

	for (int i = 0; i < lengthof(scopes); i++)
	{
		size_t start = strlen(scopes[i].start);

		if (strncmp(placeholder, scopes[i].start, start) == 0)
			return sync_kit_json_member(scopes[i].object,
										pnstrdup(placeholder + start,
												 strlen(placeholder) - start -
													 1));
	}
	return otherwise;
}

/*
 * Fill in the templates of JSON.  A text that is one placeholder of a parameter,
 * of a parent or of a row alone becomes its value, with its type; where there is none,
 * null.  "token" says what the value is to those around it.
 */
static JsonbValue *
fill_json(JsonbParseState **state,
		  JsonbIteratorToken token,
		  JsonbValue *value,
		  SyncFetch *fetch)
{
	bool array = sync_kit_json_is_array(value);
	JsonbValue *filled = value;
	ListCell *cell;

	if (value->type == jbvString)
	{
		char *text = sync_kit_json_text(value);
		const char *missing;
		char *expanded =
			sync_provider_expand(text, &fetch->scope, SYNC_ENCODE_NOT, &missing);

		filled = sync_kit_json_new_text(missing ? NULL : expanded);
		if (!missing && sync_provider_is_whole_url(text) && !strchr(text, '|'))
			filled = typed_value(fetch, text, filled);
	}
	if (IsAJsonbScalar(value))
	{
		if (token != WJB_DONE)
			(void) pushJsonbValue(state, token, filled);
		return filled;
	}

	(void)
		pushJsonbValue(state, array ? WJB_BEGIN_ARRAY : WJB_BEGIN_OBJECT, NULL);
	foreach(cell, sync_kit_json_elements(value))
		(void) fill_json(state, WJB_ELEM, lfirst(cell), fetch);
	foreach(cell, sync_kit_json_members(value))
	{
		SyncJsonMember *member = lfirst(cell);

		(void) pushJsonbValue(state,
							  WJB_KEY,
							  sync_kit_json_new_text(member->name));
		(void) fill_json(state, WJB_VALUE, member->value, fetch);
	}
	return pushJsonbValue(state, array ? WJB_END_ARRAY : WJB_END_OBJECT, NULL);
}
