/*-------------------------------------------------------------------------
 *
 * merge_deferred.c
 *	  Constraints of the target that are checked at commit, unless asked for
 *	  earlier.
 *
 * What fails at commit fails after a run has said that it is done.  So they are
 * checked when all is written.  Where rows may be put aside and that fails, all
 * is undone and written again with these constraints checked at each statement,
 * which tells the rows that break them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "kit/kit_spi.h"
#include "merge/merge_deferred.h"

static char *qualified_name(Oid constraint);
static void set_constraints(SyncTarget *target, const char *when);

/*
 * The constraints of a table that are deferred from the beginning of a
 * transaction, and foreign keys to it that are, as SQL; NULL where there are none.
 */
char *
sync_merge_find_deferred(Relation table)
{
	TriggerDesc *triggers = table->trigdesc;
	StringInfoData names;
	List *seen = NIL;

	initStringInfo(&names);
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger *trigger = &triggers->triggers[i];
		char *name;

		if (!trigger->tginitdeferred || !OidIsValid(trigger->tgconstraint) ||
			list_member_oid(seen, trigger->tgconstraint))
			continue;
		seen = lappend_oid(seen, trigger->tgconstraint);
		name = qualified_name(trigger->tgconstraint);
		if (name)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", name);
	}
	return names.len > 0 ? names.data : NULL;
}

/*
 * Have these constraints checked at once from now on, and what was written before
 * now.
 */
void
sync_merge_check_deferred(SyncTarget *target)
{
	if (target->deferred)
		set_constraints(target, "IMMEDIATE");
}

/*
 * Have them checked at commit again, as the transaction began.
 */
void
sync_merge_defer_again(SyncTarget *target)
{
	if (target->deferred)
		set_constraints(target, "DEFERRED");
}

/*
 * The name of a constraint, for SQL; NULL where it is gone.
 */
static char *
qualified_name(Oid constraint)
{
	HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	char *name;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->connamespace),
									  NameStr(form->conname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * Say when these constraints are checked.
 */
static void
set_constraints(SyncTarget *target, const char *when)
{
	(void) sync_kit_spi_run(psprintf("SET CONSTRAINTS %s %s",
									 target->deferred,
									 when),
							NULL,
							false,
							NULL,
							NULL);
}
