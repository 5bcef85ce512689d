/*-------------------------------------------------------------------------
 *
 * kit_result.c
 *	  The rows that a function returns, put in as text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "kit/kit_result.h"

struct SyncResult
{
	ReturnSetInfo *info;
	AttInMetadata *input;
	MemoryContext row; /* for the row at hand */
};

/*
 * Begin the result of a function that returns a set; "one": of a plain type,
 * not of records.  Lives in the current memory context.
 */
SyncResult *
sync_kit_result_start(FunctionCallInfo fcinfo, bool one)
{
	SyncResult *result = palloc(sizeof(SyncResult));

	InitMaterializedSRF(fcinfo, one ? MAT_SRF_USE_EXPECTED_DESC : 0);
	result->info = (ReturnSetInfo *) fcinfo->resultinfo;
	result->input = TupleDescGetAttInMetadata(result->info->setDesc);
	result->row = AllocSetContextCreate(CurrentMemoryContext,
										"sync result row",
										ALLOCSET_DEFAULT_SIZES);
	return result;
}

/*
 * Put in one row; a SyncRowSink.
 */
void
sync_kit_result_put(void *arg, int ncells, char **cells)
{
	SyncResult *result = arg;
	MemoryContext caller = MemoryContextSwitchTo(result->row);

	tuplestore_puttuple(result->info->setResult,
						BuildTupleFromCStrings(result->input, cells));
	MemoryContextSwitchTo(caller);
	MemoryContextReset(result->row);
}
