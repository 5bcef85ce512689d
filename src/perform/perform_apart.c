/*-------------------------------------------------------------------------
 *
 * perform_apart.c
 *	  What keeps a task from those that share its transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "nodes/parsenodes.h"

#include "perform/perform.h"

/*
 * Have constraints checked with each statement of the attempt that follows,
 * whatever tasks before it in this transaction have set.  At commit it would be
 * too late to know whose task it was, and the functions that are then called
 * would have more rights than it had.
 */
void
sync_perform_check_constraints_at_once(void)
{
	ConstraintsSetStmt statement = {
		.type = T_ConstraintsSetStmt,
		.constraints = NIL,
		.deferred = false,
	};

	AfterTriggerSetState(&statement);
}
