/*-------------------------------------------------------------------------
 *
 * flow_digest.c
 *	  Telling whether what a stream has read before still means the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "flow/flow_watermark.h"

/*
 * A digest of what that depends on on our side: this database, the target, the
 * mode and the key, the "definition" of the source and the columns that it
 * brings.
 */
const char *
sync_flow_digest(SyncFlow *flow, const char *definition)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	appendStringInfo(&text,
					 UINT64_FORMAT " %u %u %d\n%s",
					 GetSystemIdentifier(),
					 MyDatabaseId,
					 RelationGetRelid(flow->target->relation),
					 flow->stream->mode,
					 definition);
	foreach(cell, flow->stream->key)
		appendStringInfo(&text, "%s\n", (char *) lfirst(cell));
	foreach(cell, flow->source->columns)
	{
		SyncSourceColumn *column = lfirst(cell);

		appendStringInfo(&text, "%s %u\n", column->name, column->type);
	}
	return psprintf("%016llx",
					(unsigned long long)
						hash_bytes_extended((unsigned char *) text.data,
											text.len,
											0));
}
