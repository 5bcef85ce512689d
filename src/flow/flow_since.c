/*-------------------------------------------------------------------------
 *
 * flow_since.c
 *	  How far a stream has read an endpoint: sync_watermarks.
 *
 * The provider's part knows what a mark is (provider_mark.c).  Here marks are
 * kept, one a stream, tenant, parameters of the run and parent, and move with the
 * rows in one transaction.  Wherever they might not hold, everything is read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_watermark.h"
#include "kit/kit_spi.h"

/* SQL: the marks of a stream for a tenant, and for parameters of its own */
#define MARKS_OF                                                      \
	"stream_name = $1 AND timing_partner_id IS NOT DISTINCT FROM"     \
	" $2::bigint AND params = coalesce($3::jsonb, '{}') AND endpoint" \
	" = $4"

struct SyncSince
{
	const char *definition;
	const char *everything; /* why everything is read; NULL: it is not */
	const char *since;		/* the lowest mark; NULL: none */
	List *marks;			/* SyncFetchMark, where it begins */
};

static const char *why_everything(SyncFlow *flow,
								  SyncSince *since,
								  SyncRows *found);
static void name_marks(SyncFlow *flow,
					   SyncEndpoint *endpoint,
					   const char **values);

/*
 * Have a fetch begin where the last run of the stream ended, where that can be
 * said and no "full_refresh" is wanted, and not before the marks of "floor".
 * Returns what sync_flow_since_store wants, NULL where the endpoint has no marks.
 */
SyncSince *
sync_flow_since_apply(SyncFlow *flow,
					  SyncEndpointPart *part,
					  List *floor,
					  bool full_refresh)
{
	SyncEndpoint *endpoint = part->endpoint;
	SyncSince *since;
	const char *values[4];
	SyncRows *found;

	if (!sync_provider_has_marks(endpoint) || flow->stream->name == NULL)
		return NULL;
	since = palloc0(sizeof(SyncSince));
	since->definition = sync_flow_endpoint_digest(flow, endpoint);
	name_marks(flow, endpoint, values);
	found =
		sync_kit_spi_rows_own("SELECT definition, watermark, parent"
							  " FROM @extschema@.sync_watermarks"
							  " WHERE " MARKS_OF,
							  sync_kit_text_params(lengthof(values), values));
	since->everything =
		full_refresh		? "full_refresh"
		: found->nrows == 0 ? "there is no watermark"
							: why_everything(flow, since, found);
	for (int i = 0; i < found->nrows && since->everything == NULL; i++)
	{
		SyncFetchMark *mark = palloc0(sizeof(SyncFetchMark));

		mark->highest = found->rows[i][1];
		mark->parent = found->rows[i][2];
		since->marks = lappend(since->marks, mark);
		if (since->since == NULL || strcmp(mark->highest, since->since) < 0)
			since->since = mark->highest;
	}
	sync_provider_set_marks(part->fetch, list_concat_copy(since->marks, floor));
	return since;
}

/*
 * Whether all is read, whatever was read before.
 */
bool
sync_flow_since_is_everything(SyncSince *since)
{
	return since == NULL || since->everything != NULL;
}

/*
 * Where it begins: SyncFetchMark.
 */
List *
sync_flow_since_marks(SyncSince *since)
{
	return since->marks;
}

/*
 * Store how far the endpoint was read, in the current transaction.
 */
void
sync_flow_since_store(SyncFlow *flow, SyncEndpointPart *part)
{
	SyncEndpoint *endpoint = part->endpoint;
	SyncSince *since = part->since;
	const char *values[8];
	ListCell *cell;

	name_marks(flow, endpoint, values);
	if (since->everything)
		(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_watermarks"
									" WHERE " MARKS_OF,
									sync_kit_text_params(4, values),
									false,
									NULL,
									NULL);
	foreach(cell, sync_provider_marks(part->fetch))
	{
		SyncFetchMark *mark = lfirst(cell);

		if (mark->since && strcmp(mark->since, mark->highest) == 0)
			continue;
		values[4] = mark->parent;
		values[5] = mark->highest;
		values[6] = endpoint->provider->name;
		values[7] = since->definition;
		(void) sync_kit_spi_run_own(
			"INSERT INTO @extschema@.sync_watermarks AS w (stream_name,"
			" timing_partner_id, params, endpoint, parent, watermark, source,"
			" definition) "
			"VALUES ($1, $2::bigint, coalesce($3::jsonb, '{}'), $4, $5::jsonb,"
			" $6, $7, $8) "
			"ON CONFLICT (stream_name, timing_partner_id, params, endpoint,"
			" parent) DO UPDATE SET watermark = excluded.watermark,"
			" source = excluded.source, definition = excluded.definition,"
			" moved_at = now()",
			sync_kit_text_params(lengthof(values), values),
			false,
			NULL,
			NULL);
	}
}

/*
 * Tell history what was read: what is newer than the marks, or everything, and
 * why.
 */
void
sync_flow_since_describe(SyncSince *since, SyncRun *run)
{
	StringInfoData json;

	if (since == NULL)
		return;
	initStringInfo(&json);
	escape_json(&json, since->everything ? since->everything : since->since);
	sync_history_add_detail(run,
							since->everything ? SYNC_DETAIL_EVERYTHING
											  : SYNC_DETAIL_SINCE,
							json.data);
}

/*
 * Why marks that were stored do not hold; NULL where they do.
 */
static const char *
why_everything(SyncFlow *flow, SyncSince *since, SyncRows *found)
{
	const char *why = NULL;

	if (strcmp(found->rows[0][0], since->definition) != 0)
		why = "the stream, its target or the endpoint have changed";
	else if (sync_flow_is_empty(flow))
		why = "the target is empty";
	if (why)
		ereport(NOTICE,
				errmsg("%s reads everything: %s", flow->stream->label, why));
	return why;
}

/*
 * The values that MARKS_OF wants.
 */
static void
name_marks(SyncFlow *flow, SyncEndpoint *endpoint, const char **values)
{
	SyncFlowEndpoint *given = flow->stream->endpoint;

	values[0] = flow->stream->name;
	values[1] = given->tenant ? psprintf(INT64_FORMAT, *given->tenant) : NULL;
	values[2] = given->asked;
	values[3] = endpoint->name;
}
