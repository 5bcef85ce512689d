/*-------------------------------------------------------------------------
 *
 * flow_scope.c
 *	  Which rows of its target a run of an endpoint's stream is about.
 *
 * It reads, and deletes, no others: those of other tenants, and those that
 * other parameters give where these are in the key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_ident.h"
#include "kit/kit_order.h"

/* A column of the key that has a parameter of the run */
typedef struct AskedKey
{
	const char *column;
	const char *value;
} AskedKey;

static void add_condition(StringInfo scope,
						  SyncFlow *flow,
						  const char *column,
						  const char *value);
static List *asked_keys(SyncStream *stream);
static bool is_in_key(SyncStream *stream, const char *column);
static char *whole_param(const char *template_text);

/*
 * Do the parameters of a run tell which rows of the target it is about?
 */
bool
sync_flow_scope_is_told(SyncStream *stream)
{
	return asked_keys(stream) != NIL;
}

/*
 * The condition that a row "t" of the target is one that a run can be about, as
 * SQL: of the tenant, and with what is asked for in its key.  NULL: any is.
 */
char *
sync_flow_scope(SyncFlow *flow)
{
	SyncFlowEndpoint *given = flow->stream->endpoint;
	StringInfoData scope;
	ListCell *cell;

	initStringInfo(&scope);
	if (given->tenant_column)
		add_condition(&scope, flow, given->tenant_column, flow->fetched->tenant);
	foreach(cell, asked_keys(flow->stream))
	{
		AskedKey *asked = lfirst(cell);

		add_condition(&scope, flow, asked->column, asked->value);
	}
	return scope.len > 0 ? scope.data : NULL;
}

/*
 * The part of the target that a run has to itself, while others write elsewhere:
 * its tenant's.  NULL: there are no such parts, or what the run checks goes beyond
 * its own.
 */
char *
sync_flow_part(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	SyncFlowEndpoint *given = stream->endpoint;

	if (given == NULL || given->tenant_column == NULL ||
		given->tenant == NULL || stream->replayed ||
		!is_in_key(stream, given->tenant_column) ||
		!sync_merge_is_parted_by(flow->target, given->tenant_column) ||
		sync_check_load(stream->name) != NIL)
		return NULL;
	return psprintf(INT64_FORMAT, *given->tenant);
}

/*
 * Add the condition that a column of the target has a value.
 */
static void
add_condition(StringInfo scope,
			  SyncFlow *flow,
			  const char *column,
			  const char *value)
{
	TupleDesc columns = RelationGetDescr(flow->target->relation);
	int i = 0;

	while (i < columns->natts &&
		   (TupleDescAttr(columns, i)->attisdropped ||
			strcmp(NameStr(TupleDescAttr(columns, i)->attname), column) != 0))
		i++;
	if (i == columns->natts)
		elog(ERROR, "no column \"%s\"", column);
	appendStringInfo(scope,
					 "%st.%s %s %s",
					 scope->len > 0 ? " AND " : "",
					 sync_kit_quote(column),
					 sync_kit_order_equality(TupleDescAttr(columns, i)
												 ->atttypid),
					 quote_literal_cstr(value));
}

/*
 * Columns of a stream's key that have what the run asks for, as {param.x}: what
 * other runs ask for is none of its business.
 */
static List *
asked_keys(SyncStream *stream)
{
	SyncFlowEndpoint *given = stream->endpoint;
	JsonbValue *asked;
	List *keys = NIL;
	ListCell *cell;

	if (given->asked == NULL)
		return NIL;
	asked = sync_kit_json_value(sync_kit_json_parse(given->asked));
	foreach(cell, sync_provider_load_endpoint(given->name)->columns)
	{
		SyncColumn *column = lfirst(cell);
		char *param = whole_param(column->template_text);
		char *value = param ? sync_kit_json_string(asked, param) : NULL;
		AskedKey *key;

		if (value == NULL || !is_in_key(stream, column->name))
			continue;
		key = palloc(sizeof(AskedKey));
		key->column = column->name;
		key->value = value;
		keys = lappend(keys, key);
	}
	return keys;
}

/*
 * Is a column in the key of a stream?
 */
static bool
is_in_key(SyncStream *stream, const char *column)
{
	ListCell *cell;

	foreach(cell, stream->key)
		if (strcmp(lfirst(cell), column) == 0)
			return true;
	return false;
}

/*
 * The parameter that a template is nothing but; NULL: it is something else.
 */
static char *
whole_param(const char *template_text)
{
	Size prefix = strlen("{param.");
	Size length = template_text ? strlen(template_text) : 0;

	if (length <= prefix + 1 ||
		strncmp(template_text, "{param.", prefix) != 0 ||
		strcspn(template_text, "}|") != length - 1)
		return NULL;
	return pnstrdup(template_text + prefix, length - prefix - 1);
}
