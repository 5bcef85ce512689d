/*-------------------------------------------------------------------------
 *
 * flow_watermark.c
 *	  How far a stream has read: sync_watermarks.
 *
 * The rows at the watermark are read again, so that of several with one value
 * none is lost, and so are those that have no value, or an infinite one, which
 * no other value would ever pass.  The watermark is the highest of the others.
 *
 * It is stored with the rows, in one transaction.  Wherever it might not hold,
 * everything is read: nothing can be lost by that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "flow/flow_watermark.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"

struct SyncWatermark
{
	Oid type; /* of the column; XIDOID: the xmin of a table */
	const char *definition;
	const char *source;
	const char *stored;		/* NULL: none, or none that holds */
	const char *everything; /* why everything is read; NULL: it is not */
	SyncMoment moment;		/* of an xmin */
	SyncHighest *highest;	/* of another column */
};

static void load_watermark(SyncFlow *flow, bool full_refresh);
static const char *why_everything(SyncFlow *flow, char **stored);
static const char *digest_definition(SyncFlow *flow);
static char *compose_filter(SyncFlow *flow);

/*
 * Raise unless the source has what its watermark needs.
 */
void
sync_flow_watermark_check(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	SyncSourceColumn *column;

	if (stream->watermark == NULL)
		return;
	column = sync_stage_column(flow->source, stream->watermark);
	if (sync_flow_highest_type(flow, column) == XIDOID)
		sync_flow_xmin_check(flow, column);
}

/*
 * Have only those rows read that are new since the last run, where that can be
 * said and no "full_refresh" is wanted.  Uses the active snapshot, which has to
 * be the one that rows are read with.
 */
void
sync_flow_watermark_apply(SyncFlow *flow, bool full_refresh)
{
	SyncStream *stream = flow->stream;
	SyncSourceColumn *column;
	SyncWatermark *mark;

	if (stream->watermark == NULL)
		return;
	sync_flow_watermark_check(flow);
	column = sync_stage_column(flow->source, stream->watermark);
	mark = flow->watermark = palloc0(sizeof(SyncWatermark));
	mark->type = sync_flow_highest_type(flow, column);
	mark->definition = digest_definition(flow);
	mark->source = mark->type == XIDOID
					   ? sync_flow_xmin_source(flow->source, &mark->moment)
					   : sync_flow_source_identity(flow->source);

	load_watermark(flow, full_refresh);
	if (mark->type != XIDOID)
		mark->highest = sync_flow_highest_watch(flow, mark->type, mark->stored);
	if (mark->everything)
		return;
	flow->source->query = compose_filter(flow);
	flow->source->unforeseen = mark->type == XIDOID;
	flow->merge.partial = true;
}

/*
 * Store how far the source was read, in the current transaction.
 */
void
sync_flow_watermark_store(SyncFlow *flow)
{
	SyncWatermark *mark = flow->watermark;
	const char *values[4];

	if (mark == NULL)
		return;
	values[0] = flow->stream->name;
	values[1] = mark->highest ? sync_flow_highest_value(mark->highest)
							  : mark->moment.oldest;
	values[2] = mark->source;
	values[3] = mark->definition;
	if (values[1] == NULL)
		sync_flow_watermark_forget(flow->stream->name);
	else if (mark->stored == NULL || strcmp(mark->stored, values[1]) != 0)
		sync_kit_spi_run_own("INSERT INTO @extschema@.sync_watermarks AS w"
							 " (stream_name, watermark, source, definition) "
							 "VALUES ($1, $2, $3, $4) "
							 "ON CONFLICT (stream_name, timing_partner_id,"
							 " params, endpoint, parent) DO UPDATE"
							 " SET watermark = excluded.watermark,"
							 " source = excluded.source,"
							 " definition = excluded.definition,"
							 " moved_at = now() "
							 "WHERE (w.watermark, w.source, w.definition)"
							 " IS DISTINCT FROM (excluded.watermark,"
							 " excluded.source, excluded.definition)",
							 sync_kit_text_params(lengthof(values), values),
							 false,
							 NULL,
							 NULL);
}

/*
 * Have the next run of a stream read everything.
 */
void
sync_flow_watermark_forget(const char *stream)
{
	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_watermarks"
								" WHERE stream_name = $1",
								sync_kit_text_params(1, &stream),
								false,
								NULL,
								NULL);
	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_validators"
								" WHERE stream_name = $1",
								sync_kit_text_params(1, &stream),
								false,
								NULL,
								NULL);
}

/*
 * Tell history what was read: all that is above the watermark, or everything,
 * and why.
 */
void
sync_flow_watermark_describe(SyncFlow *flow, SyncRun *run)
{
	SyncWatermark *mark = flow->watermark;
	StringInfoData json;

	if (mark == NULL)
		return;
	initStringInfo(&json);
	escape_json(&json, mark->everything ? mark->everything : mark->stored);
	sync_history_add_detail(run,
							mark->everything ? SYNC_DETAIL_EVERYTHING
											 : SYNC_DETAIL_SINCE,
							json.data);
}

/*
 * Find the watermark to begin at, or why to read everything.
 */
static void
load_watermark(SyncFlow *flow, bool full_refresh)
{
	SyncWatermark *mark = flow->watermark;
	char *stored[3] = {NULL};
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT watermark, source, definition "
							  "FROM @extschema@.sync_watermarks "
							  "WHERE stream_name = $1",
							  sync_kit_text_params(1, &flow->stream->name));

	if (full_refresh)
		mark->everything = "full_refresh";
	else if (found->nrows == 0)
		mark->everything = "there is no watermark";
	else
	{
		memcpy(stored, found->rows[0], sizeof(stored));
		mark->everything = why_everything(flow, stored);
		if (mark->everything)
			ereport(NOTICE,
					errmsg("%s reads everything: %s",
						   flow->stream->label,
						   mark->everything));
		else
			mark->stored = stored[0];
	}
}

/*
 * Why a watermark does not hold; NULL where it does.  "stored" is the watermark,
 * the source and the definition.
 */
static const char *
why_everything(SyncFlow *flow, char **stored)
{
	SyncWatermark *mark = flow->watermark;

	if (strcmp(stored[2], mark->definition) != 0)
		return "the stream, its target or its columns have changed";
	if (strcmp(stored[1], mark->source) != 0)
		return "the source is not as it was left";
	if (sync_flow_is_empty(flow))
		return "the target is empty";
	return mark->type == XIDOID
			   ? sync_flow_xmin_passed(stored[0], &mark->moment)
			   : NULL;
}

/*
 * Whether the caller sees no row in the target, of those that the merge is
 * about.
 */
bool
sync_flow_is_empty(SyncFlow *flow)
{
	return sync_kit_spi_run(psprintf("SELECT FROM %s AS t WHERE %s LIMIT 1",
									 flow->target->qualified,
									 flow->merge.scope ? flow->merge.scope
													   : "true"),
							NULL,
							true,
							NULL,
							NULL) == 0;
}

/*
 * A digest of what a watermark depends on on our side.
 */
static const char *
digest_definition(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;

	return sync_flow_digest(flow,
							psprintf("%s\n%s\n%s\n%s\n%s\n",
									 stream->query,
									 stream->server ? stream->server : "",
									 stream->watermark,
									 stream->lookback ? stream->lookback : "",
									 stream->search_path ? stream->search_path
														 : ""));
}

/*
 * The query of the source, with only those rows that are new.
 */
static char *
compose_filter(SyncFlow *flow)
{
	SyncStream *stream = flow->stream;
	SyncWatermark *mark = flow->watermark;
	char *column = psprintf("source.%s", sync_kit_quote(stream->watermark));
	char *condition;

	if (mark->type == XIDOID)
		condition = sync_flow_xmin_condition(stream,
											 column,
											 mark->stored,
											 &mark->moment);
	else
		condition = psprintf("%s IS NULL OR %s",
							 column,
							 sync_flow_highest_condition(stream,
														 column,
														 mark->type,
														 mark->stored));
	return psprintf("SELECT * FROM (\n%s\n) AS source WHERE %s",
					flow->source->query,
					condition);
}
