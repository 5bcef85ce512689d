/*-------------------------------------------------------------------------
 *
 * provider_grammar.c
 *	  Checking the JSON of a definition against its shapes.
 *
 * A value that does not fit is refused with the way to it, as "page.kind", the
 * value itself, and what may stand there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "http/http.h"
#include "kit/kit_error.h"
#include "provider/provider_grammar.h"

/* Where the walk is */
typedef struct Walk
{
	const SyncGrammar *grammar;
	const char *place; /* as "page.kind" */
} Walk;

static void check_shape(Walk *walk, JsonbValue *value, const SyncShape *shape);
static void check_value(Walk *walk, JsonbValue *value, const SyncMember *member);
static void check_members(Walk *walk,
						  JsonbValue *value,
						  const SyncMember *member,
						  SyncKind kind);
static void check_elements(Walk *walk,
						   JsonbValue *value,
						   const SyncMember *member,
						   SyncKind kind);
static void check_text(Walk *walk, JsonbValue *value, const SyncMember *member);
static void check_path(Walk *walk, const char *text);
static void name_place(void *arg);
static Walk step(Walk *walk, const char *name);
static bool is_choice(const char *text, const char *choices);
static bool is_status(const char *text);
static void want(Walk *walk, bool fits, JsonbValue *value, const char *wanted);

/*
 * Check the value of a column of "provider" or "endpoint", which "shape" names.
 * Raises where something in it cannot be.
 */
void
sync_provider_check_json(const SyncGrammar *grammar,
						 const char *shape,
						 const char *column,
						 JsonbValue *value)
{
	Walk walk = {grammar, column};
	const SyncShape *found = sync_provider_shape(shape);

	for (int i = 0; found->members[i].name; i++)
		if (value && strcmp(found->members[i].name, column) == 0)
			check_value(&walk, value, &found->members[i]);
}

/*
 * Is a column of "provider" or "endpoint" one that has JSON?
 */
bool
sync_provider_is_json_column(const char *shape, const char *column)
{
	const SyncShape *found = sync_provider_shape(shape);

	for (int i = 0; found->members[i].name; i++)
		if (strcmp(found->members[i].name, column) == 0)
			return true;
	return false;
}

/*
 * Is a word one of several with blanks in between?
 */
bool
sync_provider_has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *found = strstr(words, word); found;
		 found = strstr(found + 1, word))
		if ((found == words || found[-1] == ' ') &&
			(found[length] == ' ' || found[length] == '\0'))
			return true;
	return false;
}

/*
 * Check an object: each member is one that the shape has, and none is missing.
 */
static void
check_shape(Walk *walk, JsonbValue *value, const SyncShape *shape)
{
	ListCell *cell;

	want(walk, sync_kit_json_is_object(value), value, "an object");
	foreach(cell, sync_kit_json_members(value))
	{
		SyncJsonMember *given = lfirst(cell);
		Walk inner = step(walk, given->name);
		const SyncMember *member = shape->members;
		StringInfoData names;

		while (member->name && strcmp(member->name, given->name) != 0)
			member++;
		if (member->name)
		{
			check_value(&inner, given->value, member);
			continue;
		}
		initStringInfo(&names);
		for (member = shape->members; member->name; member++)
			appendStringInfo(&names,
							 "%s%s",
							 names.len > 0 ? ", " : "",
							 member->name);
		sync_kit_refuse(walk->grammar->subject,
						psprintf("Its %s is not recognized.", inner.place),
						psprintf("What %s may have is %s.",
								 walk->place,
								 names.data));
	}
	for (const SyncMember *member = shape->members; member->name; member++)
		if (member->required && !sync_kit_json_member(value, member->name))
			sync_kit_refuse(walk->grammar->subject,
							psprintf("Its %s has no %s.",
									 walk->place,
									 member->name),
							NULL);
}

/*
 * Check a value.
 */
static void
check_value(Walk *walk, JsonbValue *value, const SyncMember *member)
{
	switch (member->kind)
	{
		case SYNC_KIND_TEXT:
		case SYNC_KIND_CHOICE:
		case SYNC_KIND_TEMPLATE:
		case SYNC_KIND_PATH:
			check_text(walk, value, member);
			break;
		case SYNC_KIND_SCALAR:
			want(walk, IsAJsonbScalar(value), value, "a scalar");
			break;
		case SYNC_KIND_WHOLE:
			want(walk,
				 value->type == jbvNumeric &&
					 strspn(sync_kit_json_text(value), "0123456789") ==
						 strlen(sync_kit_json_text(value)) &&
					 strlen(sync_kit_json_text(value)) < 19,
				 value,
				 "a whole number, 0 or more");
			break;
		case SYNC_KIND_BOOLEAN:
			want(walk, value->type == jbvBool, value, "true or false");
			break;
		case SYNC_KIND_HEADERS:
		case SYNC_KIND_TEMPLATES:
			check_members(walk, value, member, SYNC_KIND_TEMPLATE);
			break;
		case SYNC_KIND_PATH_MAP:
			check_members(walk, value, member, SYNC_KIND_PATHS);
			break;
		case SYNC_KIND_TEXT_MAP:
			check_members(walk, value, member, SYNC_KIND_SCALAR);
			break;
		case SYNC_KIND_SHAPE_MAP:
		case SYNC_KIND_COLUMNS:
			check_members(walk, value, member, SYNC_KIND_SHAPE);
			break;
		case SYNC_KIND_PATHS:
			check_elements(walk, value, member, SYNC_KIND_PATH);
			break;
		case SYNC_KIND_STATUSES:
			check_elements(walk, value, member, SYNC_KIND_STATUSES);
			break;
		case SYNC_KIND_SHAPE:
			check_shape(walk, value, sync_provider_shape(member->more));
			break;
		case SYNC_KIND_SHAPES:
			check_elements(walk, value, member, SYNC_KIND_SHAPE);
			break;
		case SYNC_KIND_SCALARS:
			check_elements(walk, value, member, SYNC_KIND_SCALAR);
			break;
		case SYNC_KIND_NAMES:
			check_elements(walk, value, member, SYNC_KIND_TEXT);
			break;
		case SYNC_KIND_ANY:
			break;
	}
}

/*
 * Check an object of values of one kind.
 */
static void
check_members(Walk *walk,
			  JsonbValue *value,
			  const SyncMember *member,
			  SyncKind kind)
{
	ListCell *cell;

	want(walk, sync_kit_json_is_object(value), value, "an object");
	foreach(cell, sync_kit_json_members(value))
	{
		SyncJsonMember *given = lfirst(cell);
		Walk inner = step(walk, given->name);
		SyncMember element = {given->name, kind, member->more, false};
		const char *fault = NULL;

		if (member->kind == SYNC_KIND_COLUMNS &&
			!sync_kit_json_is_object(given->value))
			element.kind = SYNC_KIND_PATHS;
		if (member->kind == SYNC_KIND_HEADERS)
			fault = sync_http_header_fault(given->name, "");
		if (fault)
			sync_kit_refuse(walk->grammar->subject,
							psprintf("Its %s is no header. %s",
									 inner.place,
									 fault),
							NULL);
		check_value(&inner, given->value, &element);
	}
}

/*
 * Check an array of values of one kind; where one value alone may stand too,
 * as with paths and statuses, check that.
 */
static void
check_elements(Walk *walk,
			   JsonbValue *value,
			   const SyncMember *member,
			   SyncKind kind)
{
	bool array = sync_kit_json_is_array(value);
	List *elements = array ? sync_kit_json_elements(value) : list_make1(value);
	ListCell *cell;

	if (member->kind != SYNC_KIND_PATHS && member->kind != SYNC_KIND_STATUSES)
		want(walk, array, value, "an array");
	foreach(cell, elements)
	{
		JsonbValue *element = lfirst(cell);
		SyncMember inner_member = {member->name, kind, member->more, false};
		Walk inner =
			array ? step(walk, psprintf("%d", foreach_current_index(cell)))
				  : *walk;

		if (kind == SYNC_KIND_STATUSES)
			want(&inner,
				 IsAJsonbScalar(element) && element->type != jbvNull &&
					 is_status(sync_kit_json_text(element)),
				 element,
				 "an HTTP status as 404 or \"5xx\"");
		else
			check_value(&inner, element, &inner_member);
	}
}

/*
 * Check a text.
 */
static void
check_text(Walk *walk, JsonbValue *value, const SyncMember *member)
{
	const SyncGrammar *grammar = walk->grammar;
	const char *fault = NULL;
	char *text;

	want(walk, value->type == jbvString, value, "a text");
	text = sync_kit_json_text(value);
	if (member->kind == SYNC_KIND_TEMPLATE)
		fault =
			sync_provider_template_fault(text, grammar->params, grammar->fields);
	if (member->kind == SYNC_KIND_PATH)
		check_path(walk, text);
	if (fault)
		sync_kit_refuse(grammar->subject,
						psprintf("Its %s is \"%s\". %s",
								 walk->place,
								 text,
								 fault),
						NULL);
	if (member->kind == SYNC_KIND_CHOICE && !is_choice(text, member->more))
	{
		StringInfoData words;

		initStringInfo(&words);
		for (const char *c = member->more; *c; c++)
			appendStringInfoString(&words,
								   *c == '|' ? ", " : psprintf("%c", *c));
		sync_kit_refuse(grammar->subject,
						psprintf("Its %s is \"%s\".", walk->place, text),
						psprintf("It may be one of %s.", words.data));
	}
}

/*
 * Check a jsonpath; the server says what is wrong with it.
 */
static void
check_path(Walk *walk, const char *text)
{
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_place,
		.arg = psprintf("%s of %s", walk->place, walk->grammar->subject),
	};

	error_context_stack = &frame;
	(void) sync_kit_json_path(text);
	error_context_stack = frame.previous;
}

/*
 * Error context: what is being looked at.
 */
static void
name_place(void *arg)
{
	errcontext("in %s", (char *) arg);
}

/*
 * The walk, one step further in.
 */
static Walk
step(Walk *walk, const char *name)
{
	Walk inner = {walk->grammar, psprintf("%s.%s", walk->place, name)};

	return inner;
}

/*
 * Is a text one of the words of "one|two|three"?
 */
static bool
is_choice(const char *text, const char *choices)
{
	size_t length = strlen(text);

	while (length > 0 && choices)
	{
		if (strncmp(choices, text, length) == 0 &&
			(choices[length] == '|' || choices[length] == '\0'))
			return true;
		choices = strchr(choices, '|');
		if (choices)
			choices++;
	}
	return false;
}

/*
 * Is this a status as 404, or a class of them as 5xx?
 */
static bool
is_status(const char *text)
{
	return strlen(text) == 3 && text[0] >= '1' && text[0] <= '5' &&
		   (strcmp(text + 1, "xx") == 0 ||
			strspn(text, "0123456789") == strlen(text));
}

/*
 * Raise unless a value is what it has to be.
 */
static void
want(Walk *walk, bool fits, JsonbValue *value, const char *wanted)
{
	if (!fits)
		sync_kit_refuse(walk->grammar->subject,
						psprintf("Its %s is %s, and must be %s.",
								 walk->place,
								 value->type == jbvString
									 ? psprintf("\"%s\"",
												sync_kit_json_text(value))
								 : value->type == jbvNull
									 ? "null"
									 : sync_kit_json_text(value),
								 wanted),
						NULL);
}
