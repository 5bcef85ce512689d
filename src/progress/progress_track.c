/*-------------------------------------------------------------------------
 *
 * progress_track.c
 *	  Tracked rules: triggers that note which keys of the evidence change.
 *
 * A rule is tracked when its four triggers stand on the evidence, enabled and
 * with the rule's key, so that dropping the table or a trigger ends it.  Notes
 * are rows of a logged table, written by the statement that changes the evidence
 * and taken by the run that reads it: they commit, crash and roll back with
 * their causes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

/* Those that a rule has a trigger for */
#define TRIGGER_EVENTS                                                 \
	(TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | \
	 TRIGGER_TYPE_TRUNCATE)

/* The triggers of rule $1, wherever they stand: their first argument names it */
#define FROM_TRIGGERS                                                          \
	" FROM pg_trigger g"                                                       \
	" JOIN pg_proc f ON f.oid = g.tgfoid AND f.proname = 'sync_progress_note'" \
	" JOIN pg_extension x ON x.extnamespace = f.pronamespace"                  \
	" AND x.extname = 'sync_ext'"                                              \
	" JOIN pg_class c ON c.oid = g.tgrelid"                                    \
	" JOIN pg_namespace n ON n.oid = c.relnamespace"                           \
	" WHERE starts_with(encode(g.tgargs, 'hex'),"                              \
	" encode(convert_to($1, getdatabaseencoding()), 'hex') || '00')"

static void forget(const char *rule_name);
static Oid find_evidence(SyncRule *rule);
static void create_triggers(SyncRule *rule, Oid relid);
static void run_ddl(const char *command);
static bool is_ours(Trigger *trigger, SyncRule *rule);
static char *trigger_arguments(const char *rule_name, List *key);
static void append_hex(StringInfo hex, const char *argument);
/*
 * Begin to note changes of a rule's evidence.
 */
void
sync_progress_track(const char *rule_name)
{
	SyncRule *rule;
	Oid relid;

	rule =
		linitial(sync_progress_load_rules(rule_name, NULL, SYNC_RULE_CHANGE));
	PushActiveSnapshot(GetTransactionSnapshot());
	relid = find_evidence(rule);

	if (sync_progress_has_triggers(rule_name))
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("progress rule \"%s\" is already tracked", rule_name),
				errhint("Run SELECT sync_untrack_progress(%s) first.",
						quote_literal_cstr(rule_name)));
	create_triggers(rule, relid);
	forget(rule_name);
	PopActiveSnapshot();
}

/*
 * Cease to note changes, and forget the notes.
 */
void
sync_progress_untrack(const char *rule_name)
{
	SyncRows *drops;

	sync_progress_lock_rule(rule_name);
	/* what another session did while this one waited for it is to be seen */
	PushActiveSnapshot(GetTransactionSnapshot());
	drops = sync_kit_spi_rows_own(
		"SELECT format('DROP TRIGGER %I ON %I.%I', g.tgname, n.nspname, c.relname)" FROM_TRIGGERS,
		sync_kit_text_params(1, &rule_name));

	if (drops->nrows == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("progress rule \"%s\" is not tracked", rule_name));
	for (int i = 0; i < drops->nrows; i++)
		sync_kit_spi_run(drops->rows[i][0], NULL, false, NULL, NULL);
	forget(rule_name);
	PopActiveSnapshot();
}

/*
 * Whether a rule of that name has triggers anywhere.
 */
bool
sync_progress_has_triggers(const char *rule_name)
{
	SyncRows *found =
		sync_kit_spi_rows_own("SELECT 1" FROM_TRIGGERS,
							  sync_kit_text_params(1, &rule_name));

	return found->nrows > 0;
}

/*
 * Whether it has any that were made for another key than this, or stand on a
 * relation that is not called so.
 */
bool
sync_progress_has_other_triggers(const char *rule_name,
								 const char *evidence,
								 List *key)
{
	RangeVar *name = makeRangeVarFromNameList(sync_compat_name_list(evidence));
	const char *values[] = {
		rule_name,
		trigger_arguments(rule_name, key),
		name->relname,
		name->schemaname,
	};

	return sync_kit_spi_rows_own("SELECT 1" FROM_TRIGGERS
								 " AND (encode(g.tgargs, 'hex') <> $2"
								 " OR c.relname <> $3 OR n.nspname <> $4)",
								 sync_kit_text_params(lengthof(values), values))
			   ->nrows > 0;
}

/*
 * Forget a rule's notes and what they lead on from: the next run reads
 * everything.
 */
static void
forget(const char *rule_name)
{
	ParamListInfo params = sync_kit_text_params(1, &rule_name);

	sync_kit_spi_run_own("DELETE FROM @extschema@.sync_progress_tracking"
						 " WHERE rule_name = $1",
						 params,
						 false,
						 NULL,
						 NULL);
	sync_kit_spi_run_own("DELETE FROM @extschema@.sync_progress_notes"
						 " WHERE rule_name = $1",
						 params,
						 false,
						 NULL,
						 NULL);
}

/*
 * The evidence of a rule, which the current user owns, locked against changes
 * until the triggers are in.  Raises where statement triggers would not see
 * every change.
 */
static Oid
find_evidence(SyncRule *rule)
{
	RangeVar *name =
		makeRangeVarFromNameList(sync_compat_name_list(rule->evidence->given));
	Oid relid = RangeVarGetRelidExtended(name,
										 ShareRowExclusiveLock,
										 0,
										 RangeVarCallbackOwnsRelation,
										 NULL);
	ListCell *cell;

	if (get_rel_relkind(relid) != RELKIND_RELATION || has_superclass(relid) ||
		find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("cannot track progress rule \"%s\"", rule->name),
				errdetail("Its evidence \"%s\" is not a plain table without parents and children, and changes would be missed.",
						  rule->evidence->given),
				errhint("Run the rule without tracking; it then reads all evidence."));

	foreach(cell, rule->key)
		if (get_attnum(relid, lfirst(cell)) <= 0)
			ereport(ERROR,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of relation \"%s\" does not exist",
						   (char *) lfirst(cell),
						   rule->evidence->given),
					errdetail("It is a key column of progress rule \"%s\".",
							  rule->name));
	return relid;
}

/*
 * Create the triggers, as the owner of the extension, which alone may use their
 * function.  They fire always, also in a session that applies what another
 * server has done.
 */
static void
create_triggers(SyncRule *rule, Oid relid)
{
	static const struct
	{
		const char *name;
		const char *event;
		const char *tables;
	} events[] = {
		{"insert", "INSERT", "REFERENCING NEW TABLE AS sync_new "},
		{"update",
		 "UPDATE",
		 "REFERENCING OLD TABLE AS sync_old NEW TABLE AS sync_new "},
		{"delete", "DELETE", "REFERENCING OLD TABLE AS sync_old "},
		{"truncate", "TRUNCATE", ""},
	};
	char *evidence =
		quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
								   get_rel_name(relid));
	StringInfoData arguments;
	ListCell *cell;

	initStringInfo(&arguments);
	appendStringInfoString(&arguments, quote_literal_cstr(rule->name));
	foreach(cell, rule->key)
		appendStringInfo(&arguments, ", %s", quote_literal_cstr(lfirst(cell)));

	for (int i = 0; i < lengthof(events); i++)
	{
		const char *name = sync_kit_quote(psprintf("sync_track_%s_%s",
												   rule->name,
												   events[i].name));

		run_ddl(psprintf("CREATE TRIGGER %s AFTER %s ON %s %s"
						 "FOR EACH STATEMENT EXECUTE FUNCTION %s(%s)",
						 name,
						 events[i].event,
						 evidence,
						 events[i].tables,
						 sync_kit_bind_schema("@extschema@.sync_progress_note"),
						 arguments.data));
		run_ddl(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
						 evidence,
						 name));
	}
}

/*
 * Run a command that makes or changes a trigger, as the extension's owner.
 */
static void
run_ddl(const char *command)
{
	SyncOwnerScope scope;

	sync_kit_owner_enter(&scope);
	sync_kit_spi_run(command, NULL, false, NULL, NULL);
	sync_kit_owner_leave(&scope);
}

/*
 * Whether all triggers of a rule, which has been inspected in this database,
 * stand on its evidence, enabled, with its key, and see every change of it.
 */
bool
sync_progress_is_tracked(SyncRule *rule)
{
	Relation relation;
	int events = 0;

	if (rule->evidence->kind != RELKIND_RELATION)
		return false;
	relation = try_relation_open(rule->evidence->relid, AccessShareLock);
	if (relation == NULL)
		return false;
	for (int i = 0; relation->trigdesc && i < relation->trigdesc->numtriggers;
		 i++)
	{
		Trigger *trigger = &relation->trigdesc->triggers[i];

		if (trigger->tgenabled == TRIGGER_FIRES_ALWAYS &&
			is_ours(trigger, rule))
			events |= trigger->tgtype & TRIGGER_EVENTS;
	}
	if (has_superclass(RelationGetRelid(relation)) ||
		(relation->rd_rel->relhassubclass &&
		 find_inheritance_children(RelationGetRelid(relation), NoLock) != NIL))
		events = 0;
	relation_close(relation, AccessShareLock);
	return events == TRIGGER_EVENTS;
}

/*
 * Whether a trigger was made for a rule and its key.
 */
static bool
is_ours(Trigger *trigger, SyncRule *rule)
{
	const char *function = get_func_name(trigger->tgfoid);

	if (function == NULL || trigger->tgnargs != list_length(rule->key) + 1 ||
		strcmp(trigger->tgargs[0], rule->name) != 0 ||
		get_func_namespace(trigger->tgfoid) != sync_kit_extension_schema() ||
		strcmp(function, "sync_progress_note") != 0)
		return false;
	for (int i = 1; i < trigger->tgnargs; i++)
		if (strcmp(trigger->tgargs[i], list_nth(rule->key, i - 1)) != 0)
			return false;
	return true;
}

/*
 * The arguments of a rule's triggers as pg_trigger keeps them, each with a
 * final zero, in hexadecimal digits.
 */
static char *
trigger_arguments(const char *rule_name, List *key)
{
	StringInfoData hex;
	ListCell *cell;

	initStringInfo(&hex);
	append_hex(&hex, rule_name);
	foreach(cell, key)
		append_hex(&hex, lfirst(cell));
	return hex.data;
}

/*
 * Append one argument.
 */
static void
append_hex(StringInfo hex, const char *argument)
{
	for (size_t i = 0; i <= strlen(argument); i++)
		appendStringInfo(hex, "%02x", (unsigned char) argument[i]);
}
