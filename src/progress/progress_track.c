/*-------------------------------------------------------------------------
 *
 * progress_track.c
 *	  Tracked rules: triggers that note which keys of the evidence change, and
 *	  reading the notes back.
 *
 * A rule is tracked when its four triggers stand on the evidence, enabled and
 * with the rule's key, so that dropping the table or a trigger ends it.  Notes
 * are rows of a logged table, written by the statement that changes the evidence
 * and taken by the run that reads it: they commit, crash and roll back with
 * their causes.
 *
 * Notes lead on from a state in which the rule had been applied in full.  The
 * row in sync_progress_tracking has a fingerprint of the rule and its relations
 * as they were then; a run that finds another reads everything.
 *
 * A run deletes the notes before it reads the evidence, each statement with a
 * snapshot of its own; a change that commits in between is read now and its
 * note stays for the next run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "kit/kit_compat.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

#define TOUCHED_MAX 10000 /* beyond, reading everything costs less */

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

/*
 * What a rule has been applied to: what it says ($2), and the identity of its
 * evidence ($3) and progress relation ($4), of their columns, the labels of
 * their enums and their triggers.  Whatever rewrites, replaces or changes one of them changes it.
 */
#define FINGERPRINT                                                               \
	"(SELECT hashtextextended(string_agg(concat_ws(' ', $2, c.oid,"               \
	" c.relfilenode, c.xmin,"                                                     \
	" (SELECT string_agg(a.xmin::text, ',' ORDER BY a.attnum)"                    \
	" FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),"            \
	" (SELECT string_agg(concat(l.oid, ':', l.enumlabel), ',' ORDER BY l.oid)"    \
	" FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"                   \
	" JOIN pg_enum l ON l.enumtypid IN (t.oid, t.typbasetype, t.typelem)"         \
	" WHERE a.attrelid = c.oid AND a.atttypid >= 16384),"                         \
	" (SELECT string_agg(concat(g.oid, ':', g.xmin), ',' ORDER BY g.oid)"         \
	" FROM pg_trigger g WHERE g.tgrelid = c.oid)), ' ' ORDER BY c.oid), 0)::text" \
	" FROM pg_class c WHERE c.oid IN (to_regclass($3), to_regclass($4)))"

static void forget(const char *rule_name);
static Oid find_evidence(SyncRule *rule);
static void create_triggers(SyncRule *rule, Oid relid);
static void run_ddl(const char *command);
static bool is_tracked(SyncRule *rule);
static char *trigger_arguments(const char *rule_name, List *key);
static void append_hex(StringInfo hex, const char *argument);
static bool has_been_applied(SyncRule *rule);
static void set_applied(SyncRule *rule);
static ParamListInfo applied_params(SyncRule *rule);
static SyncRows *read_notes(SyncRule *rule, bool take);
static bool use_notes(SyncRows *notes, int nkeys, SyncScope *scope);

/*
 * Begin to note changes of a rule's evidence.
 */
void
sync_progress_track(const char *rule_name)
{
	SyncRule *rule;
	Oid relid;

	sync_progress_lock_rules(rule_name, true);
	PushActiveSnapshot(GetTransactionSnapshot());
	rule = linitial(sync_progress_load_rules(rule_name, NULL));
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

	sync_progress_lock_rules(rule_name, true);
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
 * Let "scope" read only the keys that changed since the rule's last run; with
 * "take", their notes are deleted, and a run that reads everything is the one
 * that later notes lead on from.  Returns false, and leaves the scope as it is,
 * where everything is to be read: the rule is not tracked, the notes do not
 * tell, they are too many, or "all" asks for it.
 */
bool
sync_progress_touched(SyncRule *rule, bool take, bool all, SyncScope *scope)
{
	SyncRows *notes;
	bool leads_on;

	/* a role that does not see every row cannot do what the notes ask for */
	if (!is_tracked(rule) || rule->evidence->row_security ||
		rule->progress->row_security || !strchr("rp", rule->progress->kind))
		return false;

	notes = read_notes(rule, take);
	leads_on = has_been_applied(rule);
	if (leads_on && !all && use_notes(notes, list_length(rule->key), scope))
		return true;
	if (take && !leads_on)
		set_applied(rule);
	return false;
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
 * Whether all triggers of the rule stand on its evidence, enabled, with its
 * key, and see every change of it.
 */
static bool
is_tracked(SyncRule *rule)
{
	const char *values[] = {rule->name,
							rule->evidence->qualified,
							trigger_arguments(rule->name, rule->key)};
	SyncRows *found;

	found =
		sync_kit_spi_rows_own("SELECT count(DISTINCT g.tgtype) = 4 AND NOT bool_or(EXISTS (SELECT FROM pg_inherits i"
							  " WHERE c.oid IN (i.inhrelid, i.inhparent)))" FROM_TRIGGERS
							  " AND g.tgenabled = 'A' AND g.tgrelid = to_regclass($2)"
							  " AND encode(g.tgargs, 'hex') = $3",
							  sync_kit_text_params(lengthof(values), values));
	return found->rows[0][0] && strcmp(found->rows[0][0], "t") == 0;
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

/*
 * Whether the rule, as it is, has been applied in full between just these
 * relations, as they are.
 */
static bool
has_been_applied(SyncRule *rule)
{
	return sync_kit_spi_rows_own("SELECT 1 FROM @extschema@.sync_progress_tracking"
								 " WHERE rule_name = $1 AND fingerprint = " FINGERPRINT,
								 applied_params(rule))
			   ->nrows > 0;
}

/*
 * Say that it has.
 */
static void
set_applied(SyncRule *rule)
{
	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_progress_tracking AS t"
						 " (rule_name, evidence, progress, fingerprint)"
						 " VALUES ($1, $3, $4, " FINGERPRINT ")"
						 " ON CONFLICT (rule_name) DO UPDATE SET"
						 " evidence = excluded.evidence,"
						 " progress = excluded.progress,"
						 " fingerprint = excluded.fingerprint",
						 applied_params(rule),
						 false,
						 NULL,
						 NULL);
}

/*
 * The parameters of FINGERPRINT, behind the rule's name.
 */
static ParamListInfo
applied_params(SyncRule *rule)
{
	const char *values[] = {rule->name,
							rule->definition,
							rule->evidence->qualified,
							rule->progress->qualified};

	return sync_kit_text_params(lengthof(values), values);
}

/*
 * The distinct notes of a rule, one cell a key column and one that says
 * whether the note is whole; at most TOUCHED_MAX and one more.
 */
static SyncRows *
read_notes(SyncRule *rule, bool take)
{
	SyncRows *notes = sync_kit_rows_create();
	const char *name = rule->name;
	StringInfoData sql;
	int n = list_length(rule->key);

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 take
						 ? "WITH note AS (DELETE FROM @extschema@.sync_progress_notes"
						   " WHERE rule_name = $1 RETURNING key) "
						 : "WITH note AS (SELECT key FROM @extschema@.sync_progress_notes"
						   " WHERE rule_name = $1) ");
	appendStringInfo(&sql,
					 "SELECT DISTINCT cardinality(key) IS NOT DISTINCT FROM %d",
					 n);
	for (int i = 1; i <= n; i++)
		appendStringInfo(&sql, ", key[%d]", i);
	appendStringInfo(&sql, " FROM note LIMIT %d", TOUCHED_MAX + 1);

	sync_kit_spi_run_own(sql.data,
						 sync_kit_text_params(1, &name),
						 !take,
						 sync_kit_rows_collect,
						 notes);
	return notes;
}

/*
 * Make the statement's parameters of the notes, an array of text for each key
 * column, and leave room for one more.  Returns false where the notes do not tell which keys changed.
 */
static bool
use_notes(SyncRows *notes, int nkeys, SyncScope *scope)
{
	ParamListInfo params = makeParamList(nkeys + 1);

	if (notes->nrows > TOUCHED_MAX)
		return false;

	for (int i = 0; i < nkeys; i++)
	{
		Datum *values = palloc(Max(notes->nrows, 1) * sizeof(Datum));
		bool *nulls = palloc(Max(notes->nrows, 1) * sizeof(bool));

		for (int row = 0; row < notes->nrows; row++)
		{
			char **note = notes->rows[row];

			if (strcmp(note[0], "t") != 0)
				return false;
			nulls[row] = note[i + 1] == NULL;
			values[row] =
				nulls[row] ? (Datum) 0 : CStringGetTextDatum(note[i + 1]);
			scope->null_keys |= nulls[row];
		}
		sync_kit_set_texts(&params->params[i], notes->nrows, values, nulls);
	}
	scope->touched = params;
	scope->ntouched = notes->nrows;
	return true;
}
