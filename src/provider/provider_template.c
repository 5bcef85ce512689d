/*-------------------------------------------------------------------------
 *
 * provider_template.c
 *	  Templates: texts with {scope.name|filter} in them.
 *
 * The scopes are param (what the caller gave), credential, token, parent (the
 * row that a child is fetched for), item (the row that is pushed), and the single
 * values tenant, since, each, idempotency_key and now.  Each value is encoded for the place it goes to, so that none can add a
 * segment, a parameter or a header of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha1.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "http/http.h"
#include "kit/kit_hex.h"
#include "provider/provider_definition.h"

#define EPOCH_MS_OF_POSTGRES \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000))

/* A placeholder, cut into its parts */
typedef struct Placeholder
{
	char *scope;
	char *name; /* NULL: the scope is a single value */
	List *filters;
} Placeholder;

static const char *next_placeholder(const char **text,
									StringInfo literal,
									Placeholder *placeholder);
static char *value_of(const Placeholder *placeholder, const SyncScope *scope);
static JsonbValue *object_of(const char *name, const SyncScope *scope);
static char *join_elements(JsonbValue *array);
static char *apply_filter(const char *filter, const char *value);
static char *sha1_of(const char *text);
static char *base64_of(const char *given);
static bool is_one_of(const char *text, const char *const *choices);

/* by their names; the members of the first kind have names of their own */
static const char *const object_scopes[] =
	{"param", "credential", "token", "parent", "item", NULL};
static const char *const single_scopes[] =
	{"tenant", "since", "each", "idempotency_key", "now", NULL};
static const char *const filters[] =
	{"sha1",
	 "base64",
	 "lower",
	 "upper",
	 "epoch",
	 "epoch_ms",
	 "date",
	 "iso",
	 NULL};

/*
 * Fill in a template.  Where something that it names has no value, *missing is
 * its name, otherwise NULL.  Raises where a filter cannot take a value.
 */
char *
sync_provider_expand(const char *text,
					 const SyncScope *scope,
					 SyncEncoding encoding,
					 const char **missing)
{
	StringInfoData expanded;
	Placeholder placeholder;

	*missing = NULL;
	initStringInfo(&expanded);
	while (next_placeholder(&text, &expanded, &placeholder) == NULL &&
		   placeholder.scope)
	{
		char *value = value_of(&placeholder, scope);
		ListCell *cell;

		if (value == NULL || value[0] == '\0')
		{
			*missing =
				placeholder.name
					? psprintf("%s.%s", placeholder.scope, placeholder.name)
					: placeholder.scope;
			continue;
		}
		foreach(cell, placeholder.filters)
			value = apply_filter(lfirst(cell), value);
		appendStringInfoString(&expanded,
							   encoding == SYNC_ENCODE_SEGMENT
								   ? sync_http_encode(value)
								   : value);
	}
	return expanded.data;
}

/*
 * What is wrong with a template, as a sentence; NULL where nothing is.
 * "params" are the declared ones, NULL where there can be none; "fields" the
 * names of what a credential has.
 */
const char *
sync_provider_template_fault(const char *text, JsonbValue *params, List *fields)
{
	StringInfoData literal;
	Placeholder placeholder;
	const char *fault;

	initStringInfo(&literal);
	while ((fault = next_placeholder(&text, &literal, &placeholder)) == NULL &&
		   placeholder.scope)
	{
		bool has_object = is_one_of(placeholder.scope, object_scopes);
		bool found = false;
		ListCell *cell;

		if (!has_object && !is_one_of(placeholder.scope, single_scopes))
			return psprintf("It names \"%s\", which is none of param, credential, token, parent, item, tenant, since, each, idempotency_key and now.",
							placeholder.scope);
		if (has_object != (placeholder.name != NULL))
			return psprintf(has_object
								? "It names \"%s\" without what of it: {%s.name}."
								: "It names a part of \"%s\", which has none.",
							placeholder.scope,
							placeholder.scope);
		foreach(cell, placeholder.filters)
			if (!is_one_of(lfirst(cell), filters))
				return psprintf("It has a filter \"%s\", which is none of sha1, base64, lower, upper, epoch, epoch_ms, date and iso.",
								(char *) lfirst(cell));
		if (strcmp(placeholder.scope, "param") == 0 &&
			sync_kit_json_member(params, placeholder.name) == NULL)
			return psprintf("It names the parameter \"%s\", which params does not have.",
							placeholder.name);
		foreach(cell, fields)
			found |= strcmp(lfirst(cell),
							placeholder.name ? placeholder.name : "") == 0;
		if (strcmp(placeholder.scope, "credential") == 0 && !found)
			return psprintf("It names the credential field \"%s\", which the provider's credential_fields do not have.",
							placeholder.name);
	}
	return fault;
}

/*
 * The same for JSON whose texts are templates.
 */
const char *
sync_provider_json_template_fault(JsonbValue *value,
								  JsonbValue *params,
								  List *fields)
{
	const char *fault = NULL;
	ListCell *cell;

	if (value == NULL)
		return NULL;
	if (value->type == jbvString)
		return sync_provider_template_fault(sync_kit_json_text(value),
											params,
											fields);
	foreach(cell, sync_kit_json_members(value))
		if (fault == NULL)
			fault = sync_provider_json_template_fault(((SyncJsonMember *)
														   lfirst(cell))
														  ->value,
													  params,
													  fields);
	foreach(cell, sync_kit_json_elements(value))
		if (fault == NULL)
			fault =
				sync_provider_json_template_fault(lfirst(cell), params, fields);
	return fault;
}

/*
 * Does a path say which host it is on?  Not by a placeholder: who stores the
 * definition decides where requests go.
 */
bool
sync_provider_is_absolute(const char *path)
{
	const char *host = strstr(path, "://");

	return (strncmp(path, "https://", 8) == 0 ||
			strncmp(path, "http://", 7) == 0) &&
		   strcspn(host + 3, "{@") > strcspn(host + 3, "/");
}

/*
 * Is a template one placeholder alone?  As a path it is then a whole URL.
 */
bool
sync_provider_is_whole_url(const char *text)
{
	return text[0] == '{' && text[1] != '{' &&
		   strcspn(text, "}") == strlen(text) - 1;
}

/*
 * A time as APIs want it: in seconds or milliseconds since 1970, as a date or in
 * ISO 8601; moved by that many milliseconds.
 */
char *
sync_provider_format_time(const char *text, const char *format, int64 shift_ms)
{
	TimestampTz time =
		DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
												CStringGetDatum(text),
												ObjectIdGetDatum(InvalidOid),
												Int32GetDatum(-1)));
	char buffer[MAXDATELEN + 1];
	int utc = 0;

	if (TIMESTAMP_NOT_FINITE(time))
		ereport(ERROR,
				errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				errmsg("a time for a request must be finite: \"%s\"", text));
	time += shift_ms * INT64CONST(1000);
	if (strcmp(format, "epoch_ms") == 0)
		return psprintf(INT64_FORMAT, time / 1000 + EPOCH_MS_OF_POSTGRES);
	if (strcmp(format, "epoch") == 0)
		return psprintf(INT64_FORMAT,
						(time / 1000 + EPOCH_MS_OF_POSTGRES) / 1000);
	JsonEncodeDateTime(buffer, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
	if (strcmp(format, "date") == 0)
		return pnstrdup(buffer, strcspn(buffer, "T"));
	return pstrdup(buffer);
}

/*
 * Copy the text up to the next placeholder, and cut that; its scope is NULL
 * at the end.  {{ stands for a brace.  Returns what is wrong, or NULL.
 */
static const char *
next_placeholder(const char **text, StringInfo literal, Placeholder *placeholder)
{
	const char *from = *text;
	const char *end;
	char *inside;
	char *part;
	char *dot;

	memset(placeholder, 0, sizeof(Placeholder));
	for (; *from; from++)
	{
		if (*from == '{' && from[1] == '{')
			from++;
		else if (*from == '{')
			break;
		appendStringInfoChar(literal, *from);
	}
	*text = from;
	if (*from == '\0')
		return NULL;

	end = strchr(from, '}');
	if (end == NULL || end == from + 1)
		return "It has a brace that does not close around a name; write {{ for a brace.";
	inside = pnstrdup(from + 1, end - from - 1);
	*text = end + 1;
	while ((part = strrchr(inside, '|')) != NULL)
	{
		placeholder->filters = lcons(part + 1, placeholder->filters);
		*part = '\0';
	}
	dot = strchr(inside, '.');
	if (dot)
	{
		*dot = '\0';
		placeholder->name = dot + 1;
	}
	placeholder->scope = inside;
	return NULL;
}

/*
 * The value that a placeholder stands for, NULL where there is none.
 */
static char *
value_of(const Placeholder *placeholder, const SyncScope *scope)
{
	const char *name = placeholder->scope;
	JsonbValue *value;

	if (strcmp(name, "now") == 0)
		return pstrdup(timestamptz_to_str(GetCurrentTimestamp()));
	if (placeholder->name == NULL)
		return unconstify(char *,
						  strcmp(name, "tenant") == 0  ? scope->tenant
						  : strcmp(name, "since") == 0 ? scope->since
						  : strcmp(name, "each") == 0  ? scope->each
													  : scope->idempotency_key);

	value = object_of(name, scope);
	value = sync_kit_json_is_object(value)
				? sync_kit_json_member(value, placeholder->name)
				: NULL;
	return sync_kit_json_is_array(value) ? join_elements(value)
										 : sync_kit_json_text(value);
}

/*
 * The object of a scope.
 */
static JsonbValue *
object_of(const char *name, const SyncScope *scope)
{
	if (strcmp(name, "param") == 0)
		return scope->param;
	if (strcmp(name, "credential") == 0)
		return scope->credential;
	if (strcmp(name, "token") == 0)
		return scope->token;
	if (strcmp(name, "item") == 0)
		return scope->item;
	return scope->parent;
}

/*
 * The elements of an array with commas in between.
 */
static char *
join_elements(JsonbValue *array)
{
	StringInfoData joined;
	const char *separator = "";
	ListCell *cell;

	initStringInfo(&joined);
	foreach(cell, sync_kit_json_elements(array))
	{
		char *element = sync_kit_json_text(lfirst(cell));

		if (element)
			appendStringInfo(&joined, "%s%s", separator, element);
		separator = ",";
	}
	return joined.data;
}

/*
 * A value as a filter makes it.
 */
static char *
apply_filter(const char *filter, const char *value)
{
	if (strcmp(filter, "sha1") == 0)
		return sha1_of(value);
	if (strcmp(filter, "base64") == 0)
		return base64_of(value);
	if (strcmp(filter, "lower") == 0)
		return str_tolower(value, strlen(value), DEFAULT_COLLATION_OID);
	if (strcmp(filter, "upper") == 0)
		return str_toupper(value, strlen(value), DEFAULT_COLLATION_OID);
	return sync_provider_format_time(value, filter, 0);
}

/*
 * The SHA-1 of a text, in hexadecimal digits: what some providers ask for.
 */
static char *
sha1_of(const char *text)
{
	uint8 digest[SHA1_DIGEST_LENGTH];
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA1);

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) text, strlen(text)) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute a SHA-1 hash"));
	pg_cryptohash_free(context);
	return sync_kit_hex(digest, SHA1_DIGEST_LENGTH);
}

/*
 * A text in base64, in one line.
 */
static char *
base64_of(const char *given)
{
	Datum encoded = DirectFunctionCall2(binary_encode,
										PointerGetDatum(cstring_to_text(given)),
										CStringGetTextDatum("base64"));
	char *lines = TextDatumGetCString(encoded);
	char *to = lines;

	for (char *from = lines; *from; from++)
		if (*from != '\n')
			*to++ = *from;
	*to = '\0';
	return lines;
}

/*
 * Is a text one of a list that ends with NULL?
 */
static bool
is_one_of(const char *text, const char *const *choices)
{
	for (; *choices; choices++)
		if (strcmp(text, *choices) == 0)
			return true;
	return false;
}
