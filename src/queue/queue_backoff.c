/*-------------------------------------------------------------------------
 *
 * queue_backoff.c
 *	  Whether a task that failed is tried again, and when.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "queue/queue_row.h"

static TimestampTz later(TimestampTz now, double ms);

/*
 * Is a task tried again that failed with that SQLSTATE?  Not after its last
 * attempt, nor where its operation type does not name the error.  Where it
 * names none, all are tried again but those that lie in the task itself.
 */
bool
sync_queue_retries(const SyncTask *task, int sqlerrcode)
{
	ListCell *cell;

	if (task->operation == NULL || task->attempt >= task->max_attempts ||
		task->hopeless)
		return false;
	foreach(cell, task->operation->retry_sqlstates)
	{
		const char *start = lfirst(cell);

		if (strncmp(unpack_sql_state(sqlerrcode), start, strlen(start)) == 0)
			return true;
	}
	if (task->operation->retries_named)
		return false;
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
			return false;
		default:
			return true;
	}
}

/*
 * When a task that failed just now is tried again: as its operation type has it,
 * or when its driver was told to, if that is not too late.
 */
TimestampTz
sync_queue_next_attempt(const SyncTask *task, TimestampTz now)
{
	const SyncOperation *operation = task->operation;
	double wait = operation->backoff_base_ms *
				  pow(operation->backoff_factor, task->attempt - 1);

	if (task->retry_at > 0)
		return Min(Max(task->retry_at, now),
				   later(now, operation->backoff_cap_ms));
	wait = Min(wait, operation->backoff_cap_ms);
	wait *=
		1 - operation->backoff_jitter * pg_prng_double(&pg_global_prng_state);
	return later(now, wait);
}

/*
 * So long after "now", or the end of time.
 */
static TimestampTz
later(TimestampTz now, double ms)
{
	const TimestampTz last = END_TIMESTAMP - 1;

	return ms * 1000 < (double) (last - now) ? now + (TimestampTz) (ms * 1000)
											 : last;
}
