/*-------------------------------------------------------------------------
 *
 * queue_check.c
 *	  Operation types as they are written: what cannot work is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "kit/kit_ident.h"
#include "kit/kit_trigger.h"
#include "kit/kit_words.h"
#include "queue/queue_row.h"

/* set while a shipped type makes room for a user's */
static bool making_room = false;

static void check_states(TriggerData *trigger,
						 HeapTuple tuple,
						 const char *name);
static char *handler_name(const char *handler);

/*
 * Check and complete an operation type that is about to be written; the trigger
 * sync_operation_types_check.
 */
HeapTuple
sync_queue_check_type(TriggerData *trigger)
{
	bool updated = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple old = trigger->tg_trigtuple;
	HeapTuple tuple = updated ? trigger->tg_newtuple : old;
	char *name = sync_kit_trigger_text(trigger, tuple, "operation_type");
	const char *column = "handler";
	char *handler = sync_kit_trigger_text(trigger, tuple, column);
	bool isnull = false;
	Datum value;

	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !making_room &&
		strcmp(sync_kit_trigger_text(trigger, old, "shipped"), "t") == 0 &&
		(!updated ||
		 strcmp(sync_kit_trigger_text(trigger, old, "operation_type"),
				name ? name : "") != 0))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot delete or rename shipped operation type \"%s\"",
					   sync_kit_trigger_text(trigger, old, "operation_type")),
				errdetail("A restore would bring it back."));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return tuple;
	/* NOT NULL says it better */
	if (name == NULL || handler == NULL ||
		sync_kit_trigger_text(trigger, tuple, "search_path") == NULL)
		return tuple;

	check_states(trigger, tuple, name);
	value = CStringGetTextDatum(handler_name(handler));
	tuple = sync_kit_trigger_set(trigger, tuple, &column, &value, &isnull, 1);
	if (creating_extension)
		return tuple;
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		sync_kit_trigger_make_room(&making_room,
								   "DELETE FROM @extschema@.sync_operation_types"
								   " WHERE operation_type = $1 AND shipped",
								   name);
	return sync_kit_trigger_set_false(trigger, tuple, "shipped");
}

/*
 * Raise unless all of retry_sqlstates could be the beginning of an SQLSTATE.
 */
static void
check_states(TriggerData *trigger, HeapTuple tuple, const char *name)
{
	char *states = sync_kit_trigger_text(trigger, tuple, "retry_sqlstates");
	ListCell *cell;

	foreach(cell, sync_kit_read_texts(states))
	{
		const char *state = lfirst(cell);
		size_t length = state ? strlen(state) : 0;

		if (length >= 1 && length <= 5 &&
			strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == length)
			continue;
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("\"%s\" in retry_sqlstates of operation type \"%s\" is not the beginning of an SQLSTATE",
					   state ? state : "NULL",
					   name),
				errhint("An SQLSTATE has five digits or capital letters."));
	}
}

/*
 * The name of a handler as it is kept: in full, and for one of the extension
 * with a mark in place of its schema, which may be renamed.
 */
static char *
handler_name(const char *handler)
{
	Oid function = DatumGetObjectId(
		DirectFunctionCall1(regprocedurein,
							CStringGetDatum(sync_kit_bind_schema(handler))));
	char *name = format_procedure_qualified(function);
	Oid schema = get_func_namespace(function);

	if (getExtensionOfObject(ProcedureRelationId, function) !=
		get_extension_oid("sync_ext", false))
		return name;
	return psprintf("@extschema@%s",
					name +
						strlen(quote_identifier(get_namespace_name(schema))));
}
