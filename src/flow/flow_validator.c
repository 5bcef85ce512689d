/*-------------------------------------------------------------------------
 *
 * flow_validator.c
 *	  What a stream knows of the answers of an endpoint: sync_validators.
 *
 * It is of use only as long as the rows are there that came with the answers:
 * it is kept for the stream, tenant and parameters of the run, and moves with the
 * rows in one transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "flow/flow_endpoint.h"
#include "flow/flow_watermark.h"
#include "kit/kit_json.h"
#include "kit/kit_spi.h"

/* SQL: what a stream knows for a tenant, and for parameters of its own */
#define KNOWN_TO                                                  \
	"stream_name = $1 AND timing_partner_id IS NOT DISTINCT FROM" \
	" $2::bigint AND params = coalesce($3::jsonb, '{}')"

struct SyncKnown
{
	const char *definition;
	int count; /* of what was known before */
};

static void name_known(SyncFlow *flow, const char **values);

/*
 * Have a fetch ask for what is not as it was when the stream ran last, unless a
 * "full_refresh" is wanted; for the "whole" or page by page.  Returns what
 * sync_flow_known_store wants, NULL where the endpoint cannot be asked so.
 */
SyncKnown *
sync_flow_known_apply(SyncFlow *flow,
					  SyncEndpointPart *part,
					  bool whole,
					  bool full_refresh)
{
	SyncKnown *known;
	const char *values[4];
	List *validators = NIL;
	SyncRows *found;

	if (!part->endpoint->conditional || flow->stream->name == NULL)
		return NULL;
	known = palloc0(sizeof(SyncKnown));
	known->definition = sync_flow_endpoint_digest(flow, part->endpoint);
	name_known(flow, values);
	values[3] = known->definition;
	found =
		sync_kit_spi_rows_own("SELECT request, url, etag, last_modified,"
							  " next FROM @extschema@.sync_validators"
							  " WHERE " KNOWN_TO " AND definition = $4",
							  sync_kit_text_params(lengthof(values), values));
	known->count = found->nrows;
	if (!full_refresh && found->nrows > 0 && !sync_flow_is_empty(flow))
		for (int i = 0; i < found->nrows; i++)
		{
			SyncValidator *validator = palloc0(sizeof(SyncValidator));
			char **cells = found->rows[i];

			strlcpy(validator->request, cells[0], sizeof(validator->request));
			validator->url = cells[1];
			validator->etag = cells[2];
			validator->modified = cells[3];
			validator->next = cells[4];
			validators = lappend(validators, validator);
		}
	sync_provider_set_validators(part->fetch, validators, whole);
	return known;
}

/*
 * Store what is known now, in the current transaction.
 */
void
sync_flow_known_store(SyncFlow *flow, SyncEndpointPart *part, SyncKnown *known)
{
	List *validators = sync_provider_validators(part->fetch);
	const char *values[5];
	StringInfoData json;
	ListCell *cell;

	if (!sync_provider_is_changed(part->fetch) &&
		list_length(validators) == known->count)
		return;
	initStringInfo(&json);
	foreach(cell, validators)
	{
		SyncValidator *validator = lfirst(cell);

		appendStringInfo(&json,
						 "%s{\"next\": %s",
						 json.len > 0 ? ", " : "[",
						 validator->next);
		sync_kit_json_append(&json, "request", validator->request);
		sync_kit_json_append(&json, "url", validator->url);
		sync_kit_json_append(&json, "etag", validator->etag);
		sync_kit_json_append(&json, "last_modified", validator->modified);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, json.len > 0 ? "]" : "[]");
	name_known(flow, values);
	(void) sync_kit_spi_run_own("DELETE FROM @extschema@.sync_validators"
								" WHERE " KNOWN_TO,
								sync_kit_text_params(3, values),
								false,
								NULL,
								NULL);
	values[3] = known->definition;
	values[4] = json.data;
	(void) sync_kit_spi_run_own(
		"INSERT INTO @extschema@.sync_validators (stream_name,"
		" timing_partner_id, params, definition, request, url, etag,"
		" last_modified, next) "
		"SELECT $1, $2::bigint, coalesce($3::jsonb, '{}'), $4, v.request, v.url,"
		" v.etag, v.last_modified, v.next "
		"FROM jsonb_to_recordset($5::jsonb) AS v (request text, url text,"
		" etag text, last_modified text, next jsonb) ON CONFLICT DO NOTHING",
		sync_kit_text_params(lengthof(values), values),
		false,
		NULL,
		NULL);
}

/*
 * The values that KNOWN_TO wants.
 */
static void
name_known(SyncFlow *flow, const char **values)
{
	SyncFlowEndpoint *given = flow->stream->endpoint;

	values[0] = flow->stream->name;
	values[1] = given->tenant ? psprintf(INT64_FORMAT, *given->tenant) : NULL;
	values[2] = given->asked;
}
