/*-------------------------------------------------------------------------
 *
 * provider_check.c
 *	  What is checked when a provider or an endpoint is stored.
 *
 * First the shape of each JSON column (provider_grammar.c), then what its parts
 * need of each other.  Whether another endpoint that is named exists is not
 * asked: it may come later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "kit/kit_error.h"
#include "kit/kit_expr.h"
#include "kit/kit_spi.h"
#include "kit/kit_trigger.h"
#include "provider/provider.h"
#include "provider/provider_grammar.h"

/* set while a shipped row makes room for a user's, by replace_shipped */
static bool replacing_shipped = false;

static void check_shipped(TriggerData *trigger, const char *name);
static void replace_shipped(const char *table, const char *name);
static void check_provider(TriggerData *trigger, HeapTuple tuple);
static void check_auth(SyncGrammar *grammar, SyncProvider *provider);
static void check_endpoint(TriggerData *trigger, HeapTuple tuple);
static List *fields_of_provider(TriggerData *trigger, HeapTuple tuple);
static void check_path(SyncGrammar *grammar, SyncEndpoint *endpoint);
static void check_page(SyncGrammar *grammar, JsonbValue *page);
static void check_parts(SyncGrammar *grammar, SyncEndpoint *endpoint);
static void check_columns(SyncGrammar *grammar, SyncEndpoint *endpoint);
static void check_outcomes(SyncGrammar *grammar, List *outcomes);
static void check_json(TriggerData *trigger,
					   HeapTuple tuple,
					   SyncGrammar *grammar,
					   const char *shape,
					   const char *const *columns);
static char **row_cells(TriggerData *trigger,
						HeapTuple tuple,
						const char *const *columns);
static void refuse_if(bool wrong,
					  SyncGrammar *grammar,
					  const char *detail,
					  const char *hint);

/*
 * Check the row that a trigger on sync_providers or sync_endpoints was fired
 * for.  Returns the row to be stored.  Raises where it cannot work.
 */
HeapTuple
sync_provider_check_row(TriggerData *trigger)
{
	const char *table = RelationGetRelationName(trigger->tg_relation);
	bool is_provider = strcmp(table, "sync_providers") == 0;
	const char *key = is_provider ? "provider_name" : "endpoint_name";
	HeapTuple tuple = trigger->tg_trigtuple;
	char *name = sync_kit_trigger_text(trigger, tuple, key);

	if (name == NULL || replacing_shipped)
		return tuple;
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		check_shipped(trigger, name);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return tuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		tuple = trigger->tg_newtuple;

	if (is_provider)
		check_provider(trigger, tuple);
	else
		check_endpoint(trigger, tuple);
	if (creating_extension)
		return tuple;
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		replace_shipped(table, name);
	/* whatever a user stores is the user's */
	return sync_kit_trigger_set_false(trigger, tuple, "shipped");
}

/*
 * Raise where a shipped row would go: it would be back after a restore.
 */
static void
check_shipped(TriggerData *trigger, const char *name)
{
	const char *table = RelationGetRelationName(trigger->tg_relation);
	const char *key = strcmp(table, "sync_providers") == 0 ? "provider_name"
														   : "endpoint_name";
	HeapTuple tuple = trigger->tg_trigtuple;

	if (creating_extension ||
		strcmp(sync_kit_trigger_text(trigger, tuple, "shipped"), "t") != 0)
		return;
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		strcmp(sync_kit_trigger_text(trigger, trigger->tg_newtuple, key),
			   name) != 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot delete or rename row \"%s\" of %s, which came with the extension",
					   name,
					   table),
				errhint("Change it, or insert one of another name."));
}

/*
 * Make room for a user's row that has the name of a shipped one.
 */
static void
replace_shipped(const char *table, const char *name)
{
	sync_kit_trigger_make_room(&replacing_shipped,
							   strcmp(table, "sync_providers") == 0
								   ? "DELETE FROM @extschema@.sync_providers"
									 " WHERE provider_name = $1 AND shipped"
								   : "DELETE FROM @extschema@.sync_endpoints"
									 " WHERE endpoint_name = $1 AND shipped",
							   name);
}

/*
 * Check a provider.
 */
static void
check_provider(TriggerData *trigger, HeapTuple tuple)
{
	char *name = sync_kit_trigger_text(trigger, tuple, "provider_name");
	char *base = sync_kit_trigger_text(trigger, tuple, "base_url");
	SyncGrammar grammar = {
		.subject = psprintf("provider \"%s\"", name),
		.fields = fields_of_provider(trigger, tuple),
	};
	SyncProvider *provider;

	if (base == NULL)
		return; /* the constraint will say so */
	check_json(trigger, tuple, &grammar, "provider", sync_provider_columns);
	provider =
		sync_provider_build(row_cells(trigger, tuple, sync_provider_columns));
	refuse_if(sync_http_host(base)[0] == '\0' || strpbrk(base, "?#{}@ \t\r\n"),
			  &grammar,
			  psprintf("Its base_url is \"%s\".",
					   sync_http_shown_url(base, false)),
			  "It is http:// or https://, a host and maybe the beginning of a path: https://api.example.org/v1.");
	check_auth(&grammar, provider);
	check_outcomes(&grammar, provider->outcomes);
	refuse_if(sync_kit_json_integer(provider->limits, "concurrency", 1) < 1,
			  &grammar,
			  "Its limits.concurrency is 0.",
			  "Leave it out where there is no limit.");
	refuse_if(sync_kit_json_lacks(provider->limits, "requests") !=
				  sync_kit_json_lacks(provider->limits, "window_ms"),
			  &grammar,
			  "Its limits have only one of requests and window_ms.",
			  "So many requests are allowed in any window of so many milliseconds: give both.");
	refuse_if(sync_kit_json_integer(provider->limits, "requests", 1) < 1 ||
				  sync_kit_json_integer(provider->limits, "requests", 1) >
					  10000,
			  &grammar,
			  "Its limits.requests is not between 1 and 10000.",
			  NULL);
}

/*
 * Check what the schemes of auth need of each other.
 */
static void
check_auth(SyncGrammar *grammar, SyncProvider *provider)
{
	bool has_token = false;
	ListCell *cell;

	foreach(cell, provider->auth)
	{
		JsonbValue *scheme = lfirst(cell);
		JsonbValue *token = sync_kit_json_member(scheme, "token");

		refuse_if(sync_kit_json_lacks(scheme, "query") &&
					  sync_kit_json_lacks(scheme, "headers") &&
					  sync_kit_json_lacks(scheme, "basic"),
				  grammar,
				  psprintf("Its auth.%d sends nothing.",
						   foreach_current_index(cell)),
				  "Say with query, headers or basic what is sent.");
		if (token == NULL)
			continue;
		refuse_if(has_token,
				  grammar,
				  "Its auth has more than one token.",
				  "One scheme at most may make a token call.");
		has_token = true;
		refuse_if(sync_kit_json_lacks(sync_kit_json_member(token, "values"),
									  "access"),
				  grammar,
				  psprintf("Its auth.%d.token.values has no access.",
						   foreach_current_index(cell)),
				  "Say where the reply has the token: {\"access\": \"$.access_token\"}.");
	}
}

/*
 * Check an endpoint.
 */
static void
check_endpoint(TriggerData *trigger, HeapTuple tuple)
{
	char *name = sync_kit_trigger_text(trigger, tuple, "endpoint_name");
	char *params = sync_kit_trigger_text(trigger, tuple, "params");
	SyncGrammar grammar = {
		.subject = psprintf("endpoint \"%s\"", name),
		.params =
			params ? sync_kit_json_value(sync_kit_json_parse(params)) : NULL,
		.fields = fields_of_provider(trigger, tuple),
	};
	SyncEndpoint *endpoint;

	if (params == NULL ||
		sync_kit_trigger_text(trigger, tuple, "path") == NULL ||
		sync_kit_trigger_text(trigger, tuple, "page") == NULL)
		return; /* the constraints will say so */
	check_json(trigger,
			   tuple,
			   &grammar,
			   "endpoint",
			   sync_provider_endpoint_columns);
	endpoint =
		sync_provider_build_endpoint(row_cells(trigger,
											   tuple,
											   sync_provider_endpoint_columns));
	check_path(&grammar, endpoint);
	check_page(&grammar, endpoint->page);
	check_parts(&grammar, endpoint);
	sync_provider_check_body(&grammar, endpoint);
	check_columns(&grammar, endpoint);
	check_outcomes(&grammar, endpoint->outcomes);
}

/*
 * The names of the fields that credentials of the row's provider may have, also
 * where the row is the provider's.
 */
static List *
fields_of_provider(TriggerData *trigger, HeapTuple tuple)
{
	const char *table = RelationGetRelationName(trigger->tg_relation);
	const char *provider =
		sync_kit_trigger_text(trigger, tuple, "provider_name");
	char *text = NULL;
	List *fields = NIL;
	ListCell *cell;

	if (strcmp(table, "sync_providers") == 0)
		text = sync_kit_trigger_text(trigger, tuple, "credential_fields");
	else
	{
		SyncRows *rows =
			sync_kit_spi_rows_own("SELECT credential_fields FROM @extschema@.sync_providers"
								  " WHERE provider_name = $1",
								  sync_kit_text_params(1, &provider));

		if (rows->nrows == 1)
			text = rows->rows[0][0];
	}
	if (text == NULL)
		return NIL;
	foreach(cell,
			sync_kit_json_elements(sync_kit_json_value(sync_kit_json_parse(text))))
	{
		char *field = sync_kit_json_text(lfirst(cell));

		if (field)
			fields = lappend(fields, field);
	}
	return fields;
}

/*
 * A path begins with a slash, or is one value that is a whole URL.
 */
static void
check_path(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	const char *path = endpoint->path;
	const char *fault =
		sync_provider_template_fault(path, endpoint->params, grammar->fields);

	refuse_if(fault != NULL,
			  grammar,
			  psprintf("Its path is \"%s\". %s", path, fault ? fault : ""),
			  NULL);
	refuse_if(path[0] != '\0' && path[0] != '/' &&
				  !sync_provider_is_whole_url(path) &&
				  !sync_provider_is_absolute(path),
			  grammar,
			  psprintf("Its path is \"%s\".", path),
			  "It begins with a slash, or is one placeholder for a whole URL: {parent.value}.");
	refuse_if(strpbrk(path, "?# \t\r\n") != NULL,
			  grammar,
			  psprintf("Its path is \"%s\".", path),
			  "Parameters of the URL stand in query, and blanks are written as %20.");
}

/*
 * Each kind of pages needs its own.
 */
static void
check_page(SyncGrammar *grammar, JsonbValue *page)
{
	static const struct
	{
		const char *kind;
		const char *needed;
		const char *allowed;
	} kinds[] = {
		{"single", "", ""},
		{"page",
		 "param",
		 "start size_param size stop pages_header total max_pages"},
		{"offset", "param size", "start size_param stop total max_pages"},
		{"keyset", "param path", "size_param size stop take start max_pages"},
		{"next_url", "path", "size_param size max_pages"},
		{"link", "", "size_param size max_pages"},
		{"cursor", "param path", "size_param size max_pages"},
	};
	char *kind = sync_kit_json_string(page, "kind");
	ListCell *cell;

	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		for (const char *name = kinds[i].needed; *name;
			 name += strcspn(name, " ") + (name[strcspn(name, " ")] == ' '))
		{
			char *member = pnstrdup(name, strcspn(name, " "));

			refuse_if(sync_kit_json_lacks(page, member),
					  grammar,
					  psprintf("Its page has no %s, which kind %s needs.",
							   member,
							   kind),
					  NULL);
		}
		foreach(cell, sync_kit_json_members(page))
		{
			const char *name = ((SyncJsonMember *) lfirst(cell))->name;

			refuse_if(strcmp(name, "kind") != 0 &&
						  !sync_provider_has_word(kinds[i].needed, name) &&
						  !sync_provider_has_word(kinds[i].allowed, name),
					  grammar,
					  psprintf("Its page has %s, which kind %s does not take.",
							   name,
							   kind),
					  NULL);
		}
	}
	refuse_if(!sync_kit_json_lacks(page, "size") &&
				  sync_kit_json_integer(page, "size", 0) < 1,
			  grammar,
			  "Its page.size is 0.",
			  NULL);
	refuse_if(!sync_kit_json_lacks(page, "size_param") &&
				  sync_kit_json_lacks(page, "size"),
			  grammar,
			  "Its page has size_param, and no size to send.",
			  NULL);
}

/*
 * Parents, records and what is incremental.
 */
static void
check_parts(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	JsonbValue *parent = endpoint->parent;
	JsonbValue *records = endpoint->records;
	JsonbValue *incremental = endpoint->incremental;
	JsonbValue *feed = endpoint->feed;
	char *format = sync_kit_json_string(records, "format");
	char *mode = sync_kit_json_string(incremental, "mode");

	if (parent)
	{
		refuse_if(sync_kit_json_lacks(parent, "endpoint") ==
					  sync_kit_json_lacks(parent, "sql"),
				  grammar,
				  "Its parent has not exactly one of endpoint and sql.",
				  NULL);
		if (!sync_kit_json_lacks(parent, "sql"))
			sync_kit_check_query(sync_kit_json_string(parent, "sql"),
								 psprintf("parent.sql of %s", grammar->subject));
		refuse_if(!sync_kit_json_lacks(parent, "endpoint") &&
					  strcmp(sync_kit_json_string(parent, "endpoint"),
							 endpoint->name) == 0,
				  grammar,
				  "Its parent is itself.",
				  NULL);
	}
	if (format && strcmp(format, "columns") == 0)
		refuse_if(sync_kit_json_lacks(records, "names") ||
					  sync_kit_json_lacks(records, "rows"),
				  grammar,
				  "Its records are columns, and lack names or rows.",
				  "Say where the reply has the names of the columns, and where the rows.");
	refuse_if(format && strcmp(format, "ndjson") == 0 &&
				  strcmp(sync_kit_json_string(endpoint->page, "kind"),
						 "single") != 0,
			  grammar,
			  "Its records are ndjson, which comes in a single page.",
			  NULL);
	refuse_if(feed && sync_kit_json_lacks(feed, "query") &&
				  (endpoint->body || endpoint->columns == NIL),
			  grammar,
			  "It has a feed, and no columns to keep, or it is one to push to.",
			  NULL);
	refuse_if(feed &&
				  sync_kit_json_lacks(feed, "query") ==
					  sync_provider_has_word("push_participants publish_results",
											 sync_kit_json_string(feed,
																  "operation")),
			  grammar,
			  "Its feed has a query where records are fetched, or none where rows are pushed.",
			  NULL);
	refuse_if(feed && sync_kit_json_lacks(feed, "query") !=
						  sync_kit_json_lacks(feed, "key"),
			  grammar,
			  "Its feed has only one of query and key.",
			  NULL);
	refuse_if(feed && sync_kit_json_lacks(feed, "parent") !=
						  sync_kit_json_lacks(feed, "params"),
			  grammar,
			  "Its feed has only one of parent and params.",
			  "Name the endpoint whose table has what this one is asked for, and which of its columns make which parameters.");
	if (incremental == NULL)
		return;
	if (mode == NULL || strcmp(mode, "server") == 0)
		refuse_if(sync_kit_json_lacks(incremental, "param"),
				  grammar,
				  "Its incremental has no param to say since when.",
				  NULL);
	else if (strcmp(mode, "client") == 0)
		refuse_if(sync_kit_json_lacks(incremental, "field"),
				  grammar,
				  "Its incremental has no field to stop by.",
				  NULL);
	else if (strcmp(mode, "partition") == 0)
		refuse_if(sync_kit_json_lacks(incremental, "value") || parent == NULL,
				  grammar,
				  "Its incremental is by partition, and lacks value or a parent to pass over.",
				  NULL);
}

/*
 * A column comes from a path or from a template.
 */
static void
check_columns(SyncGrammar *grammar, SyncEndpoint *endpoint)
{
	ListCell *cell;

	foreach(cell, endpoint->columns)
	{
		SyncColumn *column = lfirst(cell);

		refuse_if((column->paths == NIL) == (column->template_text == NULL),
				  grammar,
				  psprintf("Its columns.%s has not exactly one of path and value.",
						   column->name),
				  NULL);
		refuse_if(column->convert && strcmp(column->convert, "map") == 0 &&
					  sync_kit_json_lacks(column->convert_by, "map"),
				  grammar,
				  psprintf("Its columns.%s has no map to convert by.",
						   column->name),
				  NULL);
	}
}

/*
 * A rule about answers asks for something.
 */
static void
check_outcomes(SyncGrammar *grammar, List *outcomes)
{
	ListCell *cell;

	foreach(cell, outcomes)
	{
		SyncOutcomeRule *rule = lfirst(cell);

		refuse_if(!rule->when && !rule->statuses && !rule->body,
				  grammar,
				  psprintf("Its outcomes.%d fits every answer.",
						   foreach_current_index(cell)),
				  "Say with when, status or body which answers it is for.");
	}
}

/*
 * Check the shape of each JSON column of a row.
 */
static void
check_json(TriggerData *trigger,
		   HeapTuple tuple,
		   SyncGrammar *grammar,
		   const char *shape,
		   const char *const *columns)
{
	for (int i = 0; columns[i]; i++)
	{
		char *text = sync_kit_trigger_text(trigger, tuple, columns[i]);

		/* other columns are no JSON, and have no place in the grammar */
		if (text && sync_provider_is_json_column(shape, columns[i]))
			sync_provider_check_json(grammar,
									 shape,
									 columns[i],
									 sync_kit_json_value(sync_kit_json_parse(text)));
	}
}

/*
 * The columns of a row as text.
 */
static char **
row_cells(TriggerData *trigger, HeapTuple tuple, const char *const *columns)
{
	int n = 0;
	char **cells;

	while (columns[n])
		n++;
	cells = palloc(n * sizeof(char *));
	for (int i = 0; i < n; i++)
		cells[i] = sync_kit_trigger_text(trigger, tuple, columns[i]);
	return cells;
}

/*
 * Raise that a definition is not valid, where something is wrong.
 */
static void
refuse_if(bool wrong, SyncGrammar *grammar, const char *detail, const char *hint)
{
	if (wrong)
		sync_kit_refuse(grammar->subject, detail, hint);
}
