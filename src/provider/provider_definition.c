/*-------------------------------------------------------------------------
 *
 * provider_definition.c
 *	  The definitions, as sync_providers and sync_endpoints have them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "kit/kit_spi.h"
#include "kit/kit_words.h"
#include "provider/provider.h"

static char *compose_select(const char *const *columns, const char *from);
static JsonbValue *parsed(const char *text);
static List *parsed_texts(const char *array);
static List *parsed_names(const char *array);
static void note_rows(SyncEndpoint *endpoint);
static bool mentions(SyncEndpoint *endpoint, const char *placeholder);
static bool is_word(const char *text, const char *const *words, int nwords);
static SyncOutcomeRule *build_outcome(JsonbValue *definition);
static List *build_paths(JsonbValue *value);
static SyncColumn *build_column(SyncJsonMember *member);

/* The columns of the two tables; builders read them by these positions */
const char *const sync_provider_columns[] = {
	"provider_name",
	"base_url",
	"headers",
	"query",
	"auth",
	"credential_fields",
	"limits",
	"retry",
	"outcomes",
	"test_endpoint",
	NULL,
};

enum ProviderCell
{
	PROVIDER_NAME,
	PROVIDER_BASE_URL,
	PROVIDER_HEADERS,
	PROVIDER_QUERY,
	PROVIDER_AUTH,
	PROVIDER_CREDENTIAL_FIELDS,
	PROVIDER_LIMITS,
	PROVIDER_RETRY,
	PROVIDER_OUTCOMES,
	PROVIDER_TEST_ENDPOINT,
};

const char *const sync_provider_endpoint_columns[] = {
	"endpoint_name",
	"provider_name",
	"method",
	"path",
	"params",
	"query",
	"headers",
	"body",
	"parent",
	"each",
	"page",
	"records",
	"columns",
	"incremental",
	"outcomes",
	"repeatable",
	"timeout_ms",
	"idle_timeout_ms",
	"max_size",
	"key",
	"conditional",
	"feed",
	NULL,
};

enum EndpointCell
{
	ENDPOINT_NAME,
	ENDPOINT_PROVIDER,
	ENDPOINT_METHOD,
	ENDPOINT_PATH,
	ENDPOINT_PARAMS,
	ENDPOINT_QUERY,
	ENDPOINT_HEADERS,
	ENDPOINT_BODY,
	ENDPOINT_PARENT,
	ENDPOINT_EACH,
	ENDPOINT_PAGE,
	ENDPOINT_RECORDS,
	ENDPOINT_COLUMNS,
	ENDPOINT_INCREMENTAL,
	ENDPOINT_OUTCOMES,
	ENDPOINT_REPEATABLE,
	ENDPOINT_TIMEOUT,
	ENDPOINT_IDLE_TIMEOUT,
	ENDPOINT_MAX_SIZE,
	ENDPOINT_KEY,
	ENDPOINT_CONDITIONAL,
	ENDPOINT_FEED,
};

/*
 * Load a provider.  Raises where there is none of the name.
 */
SyncProvider *
sync_provider_load(const char *name)
{
	SyncRows *rows =
		sync_kit_spi_rows_own(compose_select(sync_provider_columns,
											 "sync_providers WHERE provider_name = $1"),
							  sync_kit_text_params(1, &name));

	if (rows->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("provider \"%s\" does not exist", name ? name : ""),
				errhint("The providers are the rows of sync_providers."));
	return sync_provider_build(rows->rows[0]);
}

/*
 * Load an endpoint and its provider.  Raises where there is none of the name.
 */
SyncEndpoint *
sync_provider_load_endpoint(const char *name)
{
	SyncRows *rows =
		sync_kit_spi_rows_own(compose_select(sync_provider_endpoint_columns,
											 "sync_endpoints WHERE endpoint_name = $1"),
							  sync_kit_text_params(1, &name));
	SyncEndpoint *endpoint;

	if (rows->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("endpoint \"%s\" does not exist", name ? name : ""),
				errhint("The endpoints are the rows of sync_endpoints."));
	endpoint = sync_provider_build_endpoint(rows->rows[0]);
	endpoint->provider = sync_provider_load(rows->rows[0][ENDPOINT_PROVIDER]);
	endpoint->outcomes =
		list_concat(endpoint->outcomes, endpoint->provider->outcomes);
	return endpoint;
}

/*
 * A digest of all that decides about what an endpoint gives.
 */
char *
sync_provider_digest(SyncEndpoint *endpoint)
{
	const char *name = endpoint->name;
	SyncRows *rows =
		sync_kit_spi_rows_own("SELECT md5(row(e.*, p.base_url, p.query, p.headers)::text)"
							  " FROM @extschema@.sync_endpoints AS e"
							  " JOIN @extschema@.sync_providers AS p USING (provider_name)"
							  " WHERE e.endpoint_name = $1",
							  sync_kit_text_params(1, &name));

	return rows->nrows > 0 ? rows->rows[0][0] : pstrdup("");
}

/*
 * Make a provider of its columns as text.
 */
SyncProvider *
sync_provider_build(char **cells)
{
	SyncProvider *provider = palloc0(sizeof(SyncProvider));
	ListCell *cell;

	provider->name = cells[PROVIDER_NAME];
	provider->base_url = cells[PROVIDER_BASE_URL];
	provider->headers = parsed(cells[PROVIDER_HEADERS]);
	provider->query = parsed(cells[PROVIDER_QUERY]);
	provider->auth = sync_kit_json_elements(parsed(cells[PROVIDER_AUTH]));
	provider->credential_fields =
		parsed_texts(cells[PROVIDER_CREDENTIAL_FIELDS]);
	provider->limits = parsed(cells[PROVIDER_LIMITS]);
	provider->retry = parsed(cells[PROVIDER_RETRY]);
	foreach(cell, sync_kit_json_elements(parsed(cells[PROVIDER_OUTCOMES])))
		provider->outcomes =
			lappend(provider->outcomes, build_outcome(lfirst(cell)));
	provider->test_endpoint = cells[PROVIDER_TEST_ENDPOINT];
	return provider;
}

/*
 * Make an endpoint, without its provider, of its columns as text.
 */
SyncEndpoint *
sync_provider_build_endpoint(char **cells)
{
	SyncEndpoint *endpoint = palloc0(sizeof(SyncEndpoint));
	ListCell *cell;

	endpoint->name = cells[ENDPOINT_NAME];
	endpoint->method = cells[ENDPOINT_METHOD];
	endpoint->path = cells[ENDPOINT_PATH];
	endpoint->params = parsed(cells[ENDPOINT_PARAMS]);
	endpoint->query = parsed(cells[ENDPOINT_QUERY]);
	endpoint->headers = parsed(cells[ENDPOINT_HEADERS]);
	endpoint->body = parsed(cells[ENDPOINT_BODY]);
	endpoint->parent = parsed(cells[ENDPOINT_PARENT]);
	endpoint->each = parsed(cells[ENDPOINT_EACH]);
	endpoint->page = parsed(cells[ENDPOINT_PAGE]);
	endpoint->records = parsed(cells[ENDPOINT_RECORDS]);
	foreach(cell, sync_kit_json_members(parsed(cells[ENDPOINT_COLUMNS])))
		endpoint->columns =
			lappend(endpoint->columns, build_column(lfirst(cell)));
	endpoint->incremental = parsed(cells[ENDPOINT_INCREMENTAL]);
	endpoint->feed = parsed(cells[ENDPOINT_FEED]);
	foreach(cell, sync_kit_json_elements(parsed(cells[ENDPOINT_OUTCOMES])))
		endpoint->outcomes =
			lappend(endpoint->outcomes, build_outcome(lfirst(cell)));
	endpoint->repeatable =
		cells[ENDPOINT_REPEATABLE] && cells[ENDPOINT_REPEATABLE][0] == 't';
	endpoint->timeout_ms =
		cells[ENDPOINT_TIMEOUT] ? atoi(cells[ENDPOINT_TIMEOUT]) : 0;
	endpoint->idle_timeout_ms =
		cells[ENDPOINT_IDLE_TIMEOUT] ? atoi(cells[ENDPOINT_IDLE_TIMEOUT]) : 0;
	endpoint->max_size =
		cells[ENDPOINT_MAX_SIZE] ? atoll(cells[ENDPOINT_MAX_SIZE]) : 0;
	endpoint->key = parsed_names(cells[ENDPOINT_KEY]);
	endpoint->conditional =
		cells[ENDPOINT_CONDITIONAL] && cells[ENDPOINT_CONDITIONAL][0] == 't';
	note_rows(endpoint);
	return endpoint;
}

/*
 * Find out whether an endpoint is one to push rows to, and how.
 */
static void
note_rows(SyncEndpoint *endpoint)
{
	static const char *const kinds[] =
		{"records", "object", "columns", "form_json"};
	char *kind = sync_kit_json_string(endpoint->body, "kind");
	bool of_rows = is_word(kind, kinds, lengthof(kinds));

	endpoint->one_by_one =
		is_word(kind, kinds + 1, 1) || mentions(endpoint, "{item.");
	endpoint->takes_rows = of_rows || endpoint->one_by_one;
	endpoint->has_key = mentions(endpoint, "{idempotency_key}");
}

/*
 * Does a request to an endpoint have that in it?
 */
static bool
mentions(SyncEndpoint *endpoint, const char *placeholder)
{
	JsonbValue *parts[] = {
		endpoint->query,
		endpoint->headers,
		endpoint->body,
	};

	if (endpoint->path && strstr(endpoint->path, placeholder))
		return true;
	for (int i = 0; i < lengthof(parts); i++)
		if (parts[i] && strstr(sync_kit_json_text(parts[i]), placeholder))
			return true;
	return false;
}

/*
 * Is a text one of those words?  NULL is none.
 */
static bool
is_word(const char *text, const char *const *words, int nwords)
{
	for (int i = 0; text && i < nwords; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/*
 * One path, or each of an array, compiled.
 */
static List *
build_paths(JsonbValue *value)
{
	List *paths = NIL;
	ListCell *cell;

	if (value == NULL)
		return NIL;
	if (!sync_kit_json_is_array(value))
		return list_make1(sync_kit_json_path(sync_kit_json_text(value)));
	foreach(cell, sync_kit_json_elements(value))
		paths = lappend(paths,
						sync_kit_json_path(sync_kit_json_text(lfirst(cell))));
	return paths;
}

/*
 * What an endpoint, a token call or a part of either gives as paths.
 */
List *
sync_provider_paths(JsonbValue *object, const char *name)
{
	return build_paths(sync_kit_json_member(object, name));
}

/*
 * Make a column of a member of "columns": a path, or an object.
 */
static SyncColumn *
build_column(SyncJsonMember *member)
{
	SyncColumn *column = palloc0(sizeof(SyncColumn));

	column->name = member->name;
	if (!sync_kit_json_is_object(member->value))
	{
		column->paths = build_paths(member->value);
		return column;
	}
	column->paths = sync_provider_paths(member->value, "path");
	column->template_text = sync_kit_json_string(member->value, "value");
	column->convert = sync_kit_json_string(member->value, "convert");
	column->convert_by = member->value;
	return column;
}

/*
 * Make a rule about answers.
 */
static SyncOutcomeRule *
build_outcome(JsonbValue *definition)
{
	static const char *const words[] = {
		[SYNC_OUTCOME_OK] = "ok",
		[SYNC_OUTCOME_RETRY] = "retry",
		[SYNC_OUTCOME_THROTTLE] = "throttle",
		[SYNC_OUTCOME_AUTHENTICATE] = "authenticate",
		[SYNC_OUTCOME_FAIL] = "fail",
	};
	SyncOutcomeRule *rule = palloc0(sizeof(SyncOutcomeRule));
	char *outcome = sync_kit_json_string(definition, "outcome");
	char *when = sync_kit_json_string(definition, "when");
	char *message = sync_kit_json_string(definition, "message");
	JsonbValue *status = sync_kit_json_member(definition, "status");
	List *statuses = sync_kit_json_is_array(status)
						 ? sync_kit_json_elements(status)
						 : list_make1(status);
	ListCell *cell;

	rule->when = when ? sync_kit_json_path(when) : NULL;
	rule->message = message ? sync_kit_json_path(message) : NULL;
	rule->body = sync_kit_json_string(definition, "body");
	rule->wait_ms = sync_kit_json_integer(definition, "wait_ms", -1);
	foreach(cell, statuses)
	{
		char *text = sync_kit_json_text(lfirst(cell));

		if (text)
			rule->statuses =
				lappend_int(rule->statuses,
							strcmp(text + 1, "xx") == 0 ? -(text[0] - '0')
														: atoi(text));
	}
	for (int i = 0; i < lengthof(words); i++)
		if (outcome && strcmp(outcome, words[i]) == 0)
			rule->outcome = i;
	return rule;
}

/*
 * The statement that reads these columns, in their order.
 */
static char *
compose_select(const char *const *columns, const char *from)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; columns[i]; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? "SELECT " : ", ", columns[i]);
	appendStringInfo(&sql, " FROM @extschema@.%s", from);
	return sql.data;
}

/*
 * JSON that was stored, NULL where there is none.
 */
static JsonbValue *
parsed(const char *text)
{
	return text ? sync_kit_json_value(sync_kit_json_parse(text)) : NULL;
}

/*
 * The texts of a JSON array.
 */
static List *
parsed_texts(const char *array)
{
	List *texts = NIL;
	ListCell *cell;

	foreach(cell, sync_kit_json_elements(parsed(array)))
		texts = lappend(texts, sync_kit_json_text(lfirst(cell)));
	return texts;
}

/*
 * The elements of an array of texts but for NULLs, NIL where there is none.
 */
static List *
parsed_names(const char *array)
{
	List *names = sync_kit_read_texts(array);
	ListCell *cell;

	foreach(cell, names)
		if (lfirst(cell) == NULL)
			names = foreach_delete_current(names, cell);
	return names;
}
