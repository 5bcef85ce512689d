/*-------------------------------------------------------------------------
 *
 * kit_attempt.c
 *	  Doing what may fail, without failing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "kit/kit_attempt.h"

/*
 * Do "work" in a subtransaction.  Where it raises, what it did is undone and
 * the error is returned, in the current memory context; otherwise NULL.  A
 * cancel is no error of the work and is raised.
 */
ErrorData *
sync_kit_attempt(void (*work)(void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		work(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;

	if (error &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	return error;
}

/*
 * Do "work" that only computes: it reads no table, takes no lock and holds nothing
 * but memory, so that it costs no subtransaction and needs no transaction.  Where
 * it raises what is the fault of a row, that is returned, in the current memory
 * context; otherwise NULL.
 */
ErrorData *
sync_kit_compute(void (*work)(void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (!sync_kit_is_fault_of_row(error))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/*
 * Whether an error tells of the values of a row: constraints, what values can
 * be, and what a trigger raises.
 */
bool
sync_kit_is_fault_of_row(ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED: /* too large for an index */
			return true;
		default:
			return error->sqlerrcode == ERRCODE_RAISE_EXCEPTION;
	}
}
