/*-------------------------------------------------------------------------
 *
 * flow_stream.c
 *	  The definitions, as sync_streams has them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "flow/flow_endpoint.h"
#include "kit/kit_spi.h"
#include "kit/kit_words.h"

/* the columns of load_head, in the order of its SELECT list */
enum HeadCell
{
	HEAD_NAME,
	HEAD_TARGET,
	HEAD_QUERY,
	HEAD_SERVER,
	HEAD_MODE,
	HEAD_SYNCED_AT,
	HEAD_SYNCED_AT_ROWS,
	HEAD_DELETED_AT,
	HEAD_DUPLICATES,
	HEAD_MAX_DELETE_SHARE,
	HEAD_MAX_REJECTS,
	HEAD_WATERMARK,
	HEAD_LOOKBACK,
	HEAD_FILE,
	HEAD_FORMAT,
	HEAD_COLUMNS,
	HEAD_FILE_OPTIONS,
	HEAD_MAX_REJECT_SHARE,
	HEAD_KEEP_UNDO,
	HEAD_ENDPOINT,
	HEAD_PARAMS,
	HEAD_TENANT_COLUMN,
	HEAD_SEARCH_PATH,
	HEAD_KEY,
	HEAD_ORDER_BY,
};

/* The words of each choice, in the order of its enum */
static const char *const modes[] = {
	"upsert",
	"append",
	"mirror",
	"soft_delete",
};
static const char *const duplicates[] = {"fail", "last", "reject"};
static const char *const synced_at_rows[] = {"changed", "all"};

static SyncRows *load_head(const char *name);
static SyncFiles *files_of_head(char **head);
static SyncFlowEndpoint *endpoint_of_head(char **head);
static List *names_of(const char *array);
static void report_missing(const char *name);

/*
 * Is there a stream of that name?
 */
bool
sync_flow_exists(const char *name)
{
	return load_head(name)->nrows > 0;
}

/*
 * Load a definition, in the current memory context.  Raises where there is
 * none of that name.
 */
SyncStream *
sync_flow_load(const char *name)
{
	SyncStream *stream = palloc0(sizeof(SyncStream));
	SyncRows *found = load_head(name);
	char **head;

	if (found->nrows == 0)
		report_missing(name);
	head = found->rows[0];
	stream->name = head[HEAD_NAME];
	stream->label = psprintf("stream \"%s\"", name);
	stream->target = head[HEAD_TARGET];
	stream->query = head[HEAD_QUERY];
	stream->server = head[HEAD_SERVER];
	stream->mode = sync_flow_mode(head[HEAD_MODE], stream->label);
	stream->synced_at = head[HEAD_SYNCED_AT];
	stream->synced_at_all =
		sync_flow_synced_at_all(head[HEAD_SYNCED_AT_ROWS], stream->label);
	stream->deleted_at = head[HEAD_DELETED_AT];
	stream->duplicates =
		sync_flow_duplicates(head[HEAD_DUPLICATES], stream->label);
	stream->max_delete_share = strtod(head[HEAD_MAX_DELETE_SHARE], NULL);
	stream->max_rejects = strtoi64(head[HEAD_MAX_REJECTS], NULL, 10);
	stream->watermark = head[HEAD_WATERMARK];
	stream->lookback = head[HEAD_LOOKBACK];
	stream->files = files_of_head(head);
	stream->endpoint = endpoint_of_head(head);
	stream->max_reject_share =
		head[HEAD_MAX_REJECT_SHARE] ? strtod(head[HEAD_MAX_REJECT_SHARE], NULL)
									: SYNC_NO_SHARE;
	stream->keep_undo = head[HEAD_KEEP_UNDO];
	stream->search_path = head[HEAD_SEARCH_PATH];
	stream->key = names_of(head[HEAD_KEY]);
	stream->order_by = names_of(head[HEAD_ORDER_BY]);
	return stream;
}

/*
 * Store a definition.  The target is stored under its full name, so that it
 * does not depend on the search_path of whoever runs the stream.
 */
void
sync_flow_store(SyncStream *stream, const char *target)
{
	static const SyncFiles no_files = {0};
	static const SyncFlowEndpoint no_endpoint = {0};
	const SyncFiles *files = stream->files ? stream->files : &no_files;
	const SyncFlowEndpoint *endpoint =
		stream->endpoint ? stream->endpoint : &no_endpoint;
	const char *values[] = {
		stream->name,
		target,
		stream->query,
		stream->server,
		modes[stream->mode],
		stream->synced_at,
		synced_at_rows[stream->synced_at_all],
		stream->deleted_at,
		duplicates[stream->duplicates],
		psprintf("%.15g", stream->max_delete_share),
		psprintf(INT64_FORMAT, stream->max_rejects),
		stream->watermark,
		stream->lookback,
		NULL, /* key and order_by, set below */
		NULL,
		files->pattern,
		files->format,
		stream->endpoint ? endpoint->columns : files->columns,
		files->options,
		isinf(stream->max_reject_share)
			? NULL
			: psprintf("%.15g", stream->max_reject_share),
		stream->keep_undo,
		endpoint->name,
		endpoint->params,
		endpoint->tenant_column,
		stream->search_path,
	};
	ParamListInfo params = sync_kit_text_params(lengthof(values), values);

	sync_kit_set_names(&params->params[13], stream->key);
	sync_kit_set_names(&params->params[14], stream->order_by);
	if (sync_kit_spi_run_own(
			"INSERT INTO @extschema@.sync_streams (stream_name, target, query,"
			" server, mode, synced_at, synced_at_rows, deleted_at, duplicates,"
			" max_delete_share, max_rejects, watermark, lookback, key_columns,"
			" order_by, file, format, columns, file_options, max_reject_share,"
			" keep_undo, endpoint, params, tenant_column,"
			" search_path) "
			"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::numeric,"
			" $11::bigint, $12, $13, $14, $15, $16, $17, $18, $19::jsonb,"
			" $20::numeric, $21::interval, $22, $23::jsonb, $24, $25)"
			" ON CONFLICT DO NOTHING",
			params,
			false,
			NULL,
			NULL) == 0)
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("stream \"%s\" already exists", stream->name),
				errhint("Run SELECT sync_drop_stream(%s) first, or choose another name.",
						quote_literal_cstr(stream->name)));
}

/*
 * Delete a definition, and its checks.  Raises where there is none of that name.
 */
void
sync_flow_drop(const char *name)
{
	if (sync_kit_spi_run_own("DELETE FROM @extschema@.sync_streams"
							 " WHERE stream_name = $1",
							 sync_kit_text_params(1, &name),
							 false,
							 NULL,
							 NULL) == 0)
		report_missing(name);
	sync_check_drop_all(name);
}

/*
 * What users call a mode.
 */
const char *
sync_flow_mode_name(SyncMode mode)
{
	return modes[mode];
}

/*
 * The mode of that name.
 */
SyncMode
sync_flow_mode(const char *word, const char *label)
{
	return sync_kit_find_word(modes, lengthof(modes), word, "mode", label);
}

/*
 * The way with duplicates of that name.
 */
SyncDuplicates
sync_flow_duplicates(const char *word, const char *label)
{
	return sync_kit_find_word(duplicates,
							  lengthof(duplicates),
							  word,
							  "duplicates",
							  label);
}

/*
 * Whether that name means that all rows get the time.
 */
bool
sync_flow_synced_at_all(const char *word, const char *label)
{
	return sync_kit_find_word(synced_at_rows,
							  lengthof(synced_at_rows),
							  word,
							  "synced_at_rows",
							  label) == 1;
}

/*
 * Read what a stream has one of; HeadCell names the columns.
 */
static SyncRows *
load_head(const char *name)
{
	return sync_kit_spi_rows_own("SELECT stream_name, target, query, server,"
								 " mode, synced_at, synced_at_rows, deleted_at,"
								 " duplicates, max_delete_share, max_rejects,"
								 " watermark, lookback, file, format, columns,"
								 " file_options, max_reject_share, keep_undo,"
								 " endpoint, params, tenant_column,"
								 " search_path, to_json(key_columns),"
								 " to_json(order_by) "
								 "FROM @extschema@.sync_streams "
								 "WHERE stream_name = $1",
								 sync_kit_text_params(1, &name));
}

/*
 * The files that are the source of a stream, NULL where none are.
 */
static SyncFiles *
files_of_head(char **head)
{
	SyncFiles *files;

	if (head[HEAD_FILE] == NULL)
		return NULL;
	files = palloc(sizeof(SyncFiles));
	files->pattern = head[HEAD_FILE];
	files->format = head[HEAD_FORMAT];
	files->columns = head[HEAD_COLUMNS];
	files->options = head[HEAD_FILE_OPTIONS];
	return files;
}

/*
 * The endpoint that is the source of a stream, NULL where none is.
 */
static SyncFlowEndpoint *
endpoint_of_head(char **head)
{
	SyncFlowEndpoint *endpoint;

	if (head[HEAD_ENDPOINT] == NULL)
		return NULL;
	endpoint = palloc0(sizeof(SyncFlowEndpoint));
	endpoint->name = head[HEAD_ENDPOINT];
	endpoint->params = head[HEAD_PARAMS];
	endpoint->columns = head[HEAD_COLUMNS];
	endpoint->tenant_column = head[HEAD_TENANT_COLUMN];
	return endpoint;
}

/*
 * What it has several of, of an array as JSON; NIL where there is none.
 */
static List *
names_of(const char *array)
{
	List *names = NIL;
	ListCell *cell;

	if (array == NULL)
		return NIL;
	foreach(cell,
			sync_kit_json_elements(sync_kit_json_value(sync_kit_json_parse(array))))
		names = lappend(names, sync_kit_json_text(lfirst(cell)));
	return names;
}

/*
 * Raise that there is no stream of that name.
 */
static void
report_missing(const char *name)
{
	ereport(ERROR,
			errcode(ERRCODE_UNDEFINED_OBJECT),
			errmsg("stream \"%s\" does not exist", name),
			errhint("The streams are the rows of sync_streams."));
}
