/*-------------------------------------------------------------------------
 *
 * push_define.c
 *	  The definitions, as sync_pushes has them.
 *
 * What can be known when one is made is asked then: the endpoints, their
 * parameters, and the columns of the query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "kit/kit_error.h"
#include "kit/kit_expr.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"
#include "push/push.h"

/* the columns of sync_push_load, in the order of its SELECT list */
enum Cell
{
	CELL_ENDPOINT,
	CELL_UPDATE_ENDPOINT,
	CELL_DELETE_ENDPOINT,
	CELL_QUERY,
	CELL_KEY,
	CELL_PARAMS,
	CELL_PARAM_COLUMNS,
	CELL_TENANT_COLUMN,
	CELL_NOT_SENT,
	CELL_BATCH_SIZE,
	CELL_MAX_DELETE_SHARE,
};

static void check_key(SyncPush *push);
static void check_params(SyncPush *push);
static void check_endpoint(SyncPush *push,
						   SyncPushAction action,
						   const char *provider);
static void check_endpoint_params(SyncPush *push, SyncEndpoint *endpoint);
static void check_columns(SyncPush *push);
static void store(SyncPush *push);
static void name_push(void *push);
static void refuse_if(bool wrong,
					  SyncPush *push,
					  const char *why,
					  const char *hint);

/*
 * Is there a push of that name?
 */
bool
sync_push_exists(const char *name)
{
	return sync_kit_spi_rows_own("SELECT FROM @extschema@.sync_pushes"
								 " WHERE push_name = $1",
								 sync_kit_text_params(1, &name))
			   ->nrows > 0;
}

/*
 * Load a definition, in the current memory context.  Raises where there is none
 * of that name.
 */
SyncPush *
sync_push_load(const char *name)
{
	SyncRows *rows =
		sync_kit_spi_rows_own("SELECT endpoint, update_endpoint, delete_endpoint,"
							  " query, key_columns, params, param_columns,"
							  " tenant_column, not_sent, batch_size,"
							  " max_delete_share "
							  "FROM @extschema@.sync_pushes WHERE push_name = $1",
							  sync_kit_text_params(1, &name));
	SyncPush *push = palloc0(sizeof(SyncPush));
	char **cells;

	if (rows->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("push \"%s\" does not exist", name ? name : ""),
				errhint("The pushes are the rows of sync_pushes."));
	cells = rows->rows[0];
	push->name = pstrdup(name);
	push->endpoints[SYNC_PUSH_CREATE] = cells[CELL_ENDPOINT];
	push->endpoints[SYNC_PUSH_UPDATE] =
		cells[CELL_UPDATE_ENDPOINT] ? cells[CELL_UPDATE_ENDPOINT]
									: cells[CELL_ENDPOINT];
	push->endpoints[SYNC_PUSH_DELETE] = cells[CELL_DELETE_ENDPOINT];
	push->query = cells[CELL_QUERY];
	push->key = sync_kit_read_names(cells[CELL_KEY]);
	push->params = sync_kit_json_value(sync_kit_json_parse(cells[CELL_PARAMS]));
	push->columns =
		sync_kit_json_value(sync_kit_json_parse(cells[CELL_PARAM_COLUMNS]));
	push->tenant = cells[CELL_TENANT_COLUMN];
	push->not_sent = sync_kit_read_names(cells[CELL_NOT_SENT]);
	push->batch_size =
		cells[CELL_BATCH_SIZE] ? atoi(cells[CELL_BATCH_SIZE]) : 0;
	push->max_delete_share = strtod(cells[CELL_MAX_DELETE_SHARE], NULL);
	return push;
}

/*
 * Check a definition and store it.
 */
void
sync_push_create(SyncPush *push)
{
	SyncEndpoint *first;

	refuse_if(push->endpoints[SYNC_PUSH_CREATE] == NULL,
			  push,
			  "It has no endpoint.",
			  "Name one of sync_endpoints that rows can be pushed to.");
	refuse_if(push->query == NULL,
			  push,
			  "It has no query.",
			  "Give a query whose rows are pushed; TABLE name is one too.");
	sync_kit_check_query(push->query,
						 psprintf("the query of push \"%s\"", push->name));
	check_key(push);
	check_params(push);
	refuse_if(!(push->max_delete_share >= 0 && push->max_delete_share <= 1),
			  push,
			  psprintf("max_delete_share is %g.", push->max_delete_share),
			  "It is a share, between 0 and 1.");
	first = sync_provider_load_endpoint(push->endpoints[SYNC_PUSH_CREATE]);
	for (int action = 0; action < SYNC_PUSH_ACTIONS; action++)
		if (push->endpoints[action])
			check_endpoint(push, action, first->provider->name);
	check_columns(push);
	store(push);
}

/*
 * Drop a definition, and what was pushed if that is to be forgotten.  Raises
 * where there is none of that name.
 */
void
sync_push_drop(const char *name, bool forget)
{
	ParamListInfo params = sync_kit_text_params(1, &name);

	if (sync_kit_spi_run_own("DELETE FROM @extschema@.sync_pushes"
							 " WHERE push_name = $1",
							 params,
							 false,
							 NULL,
							 NULL) == 0)
		(void) sync_push_load(name);
	if (forget)
		(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_pushed"
									" WHERE push_name = $1",
									params,
									false,
									NULL,
									NULL);
}

/*
 * A key is there, and names each column once.
 */
static void
check_key(SyncPush *push)
{
	ListCell *cell;

	refuse_if(push->key == NIL,
			  push,
			  "It has no key.",
			  "Name the columns that tell rows apart: key => '{id}'.");
	foreach(cell, push->key)
		for (int i = 0; i < foreach_current_index(cell); i++)
			refuse_if(strcmp(lfirst(cell), list_nth(push->key, i)) == 0,
					  push,
					  psprintf("Its key names column \"%s\" more than once.",
							   (char *) lfirst(cell)),
					  "Name it once.");
}

/*
 * The parameters are objects: of values, and of names of columns.
 */
static void
check_params(SyncPush *push)
{
	ListCell *cell;

	refuse_if(!sync_kit_json_is_object(push->params),
			  push,
			  "Its params are no JSON object.",
			  "Give parameters and their values: {\"race_id\": 501}.");
	refuse_if(!sync_kit_json_is_object(push->columns),
			  push,
			  "Its param_columns are no JSON object.",
			  "Give parameters and names of columns: {\"race_id\": \"race\"}.");
	foreach(cell, sync_kit_json_members(push->columns))
	{
		SyncJsonMember *member = lfirst(cell);

		refuse_if(member->value->type != jbvString,
				  push,
				  psprintf("Its param_columns name no column for parameter \"%s\".",
						   member->name),
				  "Give the name of a column, as a text.");
		refuse_if(sync_kit_json_member(push->params, member->name) != NULL,
				  push,
				  psprintf("Parameter \"%s\" is in params and in param_columns.",
						   member->name),
				  "Say it once.");
	}
}

/*
 * An endpoint takes rows, belongs to the same provider as the first, and gets the
 * parameters that it needs.
 */
static void
check_endpoint(SyncPush *push, SyncPushAction action, const char *provider)
{
	SyncEndpoint *endpoint =
		sync_provider_load_endpoint(push->endpoints[action]);

	if (!endpoint->takes_rows)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("endpoint \"%s\" takes no rows", endpoint->name),
				errhint("An endpoint that rows can be pushed to has a body of kind records, object, columns or form_json, or names {item.x} somewhere."));
	refuse_if(strcmp(endpoint->provider->name, provider) != 0,
			  push,
			  psprintf("Endpoint \"%s\" belongs to provider \"%s\", not to \"%s\".",
					   endpoint->name,
					   endpoint->provider->name,
					   provider),
			  "All endpoints of a push belong to one provider.");
	refuse_if(push->batch_size > 1 && endpoint->one_by_one,
			  push,
			  psprintf("batch_size is %d, and endpoint \"%s\" takes one row at a time.",
					   push->batch_size,
					   endpoint->name),
			  "Leave out batch_size.");
	check_endpoint_params(push, endpoint);
}

/*
 * The parameters are ones that an endpoint has, and all that it needs are there.
 */
static void
check_endpoint_params(SyncPush *push, SyncEndpoint *endpoint)
{
	List *given = list_concat(sync_kit_json_members(push->params),
							  sync_kit_json_members(push->columns));
	ListCell *cell;

	foreach(cell, given)
	{
		const char *name = ((SyncJsonMember *) lfirst(cell))->name;

		refuse_if(!sync_kit_json_member(endpoint->params, name),
				  push,
				  psprintf("Endpoint \"%s\" has no parameter \"%s\".",
						   endpoint->name,
						   name),
				  "Column params of sync_endpoints has the names.");
	}
	foreach(cell, sync_kit_json_members(endpoint->params))
	{
		SyncJsonMember *declared = lfirst(cell);

		refuse_if(sync_kit_json_boolean(declared->value, "required", false) &&
					  !sync_kit_json_member(declared->value, "default") &&
					  !sync_kit_json_member(push->params, declared->name) &&
					  !sync_kit_json_member(push->columns, declared->name),
				  push,
				  psprintf("Endpoint \"%s\" needs parameter \"%s\".",
						   endpoint->name,
						   declared->name),
				  "Give it with params, or name the column that has it with param_columns.");
	}
}

/*
 * The query has the columns that are named.
 */
static void
check_columns(SyncPush *push)
{
	int64 tenant = 0;
	ErrorContextCallback frame = {
		.previous = error_context_stack,
		.callback = name_push,
		.arg = push,
	};

	error_context_stack = &frame;
	(void) sync_kit_spi_describe(sync_push_compose_read(push, &tenant));
	error_context_stack = frame.previous;
}

/*
 * Store a definition.
 */
static void
store(SyncPush *push)
{
	const char **endpoints = push->endpoints;
	const char *values[] = {
		push->name,
		endpoints[SYNC_PUSH_CREATE],
		endpoints[SYNC_PUSH_UPDATE],
		endpoints[SYNC_PUSH_DELETE],
		push->query,
		sync_kit_json_text(push->params),
		sync_kit_json_text(push->columns),
		push->tenant,
		push->batch_size ? psprintf("%d", push->batch_size) : NULL,
		psprintf("%.15g", push->max_delete_share),
		NULL, /* key and not_sent, set below */
		NULL,
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);

	sync_kit_set_names(&params->params[10], push->key);
	sync_kit_set_names(&params->params[11], push->not_sent);
	if (sync_kit_spi_run_own("INSERT INTO @extschema@.sync_pushes (push_name, endpoint,"
							 " update_endpoint, delete_endpoint, query, params, param_columns,"
							 " tenant_column, batch_size, max_delete_share, key_columns,"
							 " not_sent) "
							 "VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9::integer,"
							 " $10::numeric, $11, $12) ON CONFLICT DO NOTHING",
							 params,
							 false,
							 NULL,
							 NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("push \"%s\" already exists", push->name),
				errhint("Run SELECT sync_drop_push(%s) first, which keeps what it pushed, or choose another name.",
						quote_literal_cstr(push->name)));
}

/*
 * Error context: what is being defined.
 */
static void
name_push(void *push)
{
	errcontext("in push \"%s\"", ((SyncPush *) push)->name);
}

/*
 * Raise that the push cannot be as it is defined, where something is wrong.
 */
static void
refuse_if(bool wrong, SyncPush *push, const char *why, const char *hint)
{
	if (wrong)
		sync_kit_refuse(psprintf("push \"%s\"", push->name), why, hint);
}
