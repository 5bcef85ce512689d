/*-------------------------------------------------------------------------
 *
 * jobs_tell.c
 *	  Telling who listens what became of a job.
 *
 * Anyone in the database may listen, so that it is told no more than the id and
 * how far the job is; who may see the job looks there for the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "jobs/jobs.h"

#define CHANNEL "sync_jobs"

static char *describe(TriggerData *trigger, HeapTuple tuple);

/*
 * Notify of a row of sync_jobs that was written, if that changes what is told.
 * A row that was there before, and is restored, is no news.
 */
void
sync_jobs_tell(TriggerData *trigger)
{
	bool inserted = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	HeapTuple row = inserted ? trigger->tg_trigtuple : trigger->tg_newtuple;
	char *news = describe(trigger, row);

	if (inserted)
	{
		bool isnull;
		Datum created =
			heap_getattr(row,
						 get_attnum(RelationGetRelid(trigger->tg_relation),
									"created_at"),
						 RelationGetDescr(trigger->tg_relation),
						 &isnull);

		if (DatumGetTimestampTz(created) <
			GetCurrentTransactionStartTimestamp())
			return;
	}
	else if (strcmp(news, describe(trigger, trigger->tg_trigtuple)) == 0)
		return;
	Async_Notify(CHANNEL, news);
}

/*
 * What is told of a job, as a JSON object.
 */
static char *
describe(TriggerData *trigger, HeapTuple tuple)
{
	static const struct
	{
		const char *column;
		const char *quote;
	} told[] = {
		{"id", "\""},
		{"status", "\""},
		{"games_found", ""},
		{"games_analyzed", ""},
	};
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < lengthof(told); i++)
	{
		int number =
			get_attnum(RelationGetRelid(trigger->tg_relation), told[i].column);
		bool isnull;
		Oid output;
		bool varlena;

		getTypeOutputInfo(TupleDescAttr(desc, number - 1)->atttypid,
						  &output,
						  &varlena);
		appendStringInfo(&json,
						 "%s\"%s\": %s%s%s",
						 i == 0 ? "{" : ", ",
						 told[i].column,
						 told[i].quote,
						 OidOutputFunctionCall(output,
											   heap_getattr(tuple,
															number,
															desc,
															&isnull)),
						 told[i].quote);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}
