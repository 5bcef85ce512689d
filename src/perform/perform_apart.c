/*-------------------------------------------------------------------------
 *
 * perform_apart.c
 *	  What keeps a task from those that share its transaction, and from whoever
 *	  settles it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "nodes/parsenodes.h"

#include "perform/perform.h"

/* so many bytes of each text of an error are kept */
#define TEXT_MAX 65536

static void clip(char *text);

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

/*
 * Cut off what is too long of an error, a copy, to be kept in queue, history and
 * alerts.
 */
void
sync_perform_shorten(ErrorData *error)
{
	clip(error->message);
	clip(error->detail);
	clip(error->hint);
	clip(error->context);
}

/*
 * Cut a text off, between characters.
 */
static void
clip(char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length > TEXT_MAX)
		text[pg_mbcliplen(text, (int) length, TEXT_MAX)] = '\0';
}
