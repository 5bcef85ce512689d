/*-------------------------------------------------------------------------
 *
 * progress_touched.c
 *	  Which keys of a tracked rule changed since its last run, by its notes.
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

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "kit/kit_spi.h"
#include "progress/progress.h"

#define TOUCHED_MAX 10000 /* beyond, reading everything costs less */

/* The columns of read_notes, in the order of its SELECT list */
enum NoteCell
{
	NOTE_RULE,
	NOTE_FINGERPRINT,
	NOTE_IS_THERE,
	NOTE_KEY,
};

/* A tracked rule, and what its notes say */
typedef struct Noted
{
	SyncRuleOutcome *outcome;
	char *applied; /* the fingerprint that they lead on from, or NULL */
	int count;
	List *keys; /* as text, NULL for "everything"; no more than can be used */
} Noted;

static bool has_notes(SyncRule *rule);
static void read_notes(List *noted, bool take);
static void take_note(void *noted, int ncells, char **cells);
static bool use_notes(Noted *noted);
static bool read_key(const char *cell, int nkeys, Datum *values, bool *nulls);
static void set_applied(SyncRule *rule, const char *fingerprint);

/*
 * Let the outcomes of rules that are tracked have a scope of only the keys that
 * changed since the rule's last run; with "take", their notes are deleted, and a
 * run that reads everything is the one that later notes lead on from.  An outcome
 * stays as it is where everything is to be read: the rule is not tracked, the
 * notes do not tell, they are too many, or "all" asks for it.
 */
void
sync_progress_touched(List *outcomes, bool take, bool all)
{
	List *noted = NIL;
	ListCell *cell;

	foreach(cell, outcomes)
	{
		SyncRuleOutcome *outcome = lfirst(cell);

		if (has_notes(outcome->rule))
		{
			Noted *of = palloc0(sizeof(Noted));

			of->outcome = outcome;
			noted = lappend(noted, of);
		}
	}
	if (noted == NIL)
		return;

	read_notes(noted, take);
	foreach(cell, noted)
	{
		Noted *of = lfirst(cell);
		SyncRule *rule = of->outcome->rule;
		char *fingerprint = sync_progress_fingerprint(rule);
		bool leads_on = of->applied && strcmp(of->applied, fingerprint) == 0;

		of->outcome->tracked = leads_on && !all && use_notes(of);
		if (take && !leads_on)
			set_applied(rule, fingerprint);
	}
}

/*
 * Whether a rule's notes can tell what to do.  A role that does not see every row
 * cannot do what they ask for.
 */
static bool
has_notes(SyncRule *rule)
{
	return sync_progress_is_tracked(rule) && !rule->evidence->row_security &&
		   !rule->progress->row_security && strchr("rp", rule->progress->kind);
}

/*
 * Read, or take, the distinct notes of rules, and what they lead on from.
 */
static void
read_notes(List *noted, bool take)
{
	ParamListInfo params = makeParamList(1);
	List *names = NIL;
	ListCell *cell;

	foreach(cell, noted)
		names = lappend(names, ((Noted *) lfirst(cell))->outcome->rule->name);
	sync_progress_set_texts(&params->params[0], names);
	sync_kit_spi_run_own(
		psprintf("WITH note AS (%s) "
				 "SELECT rule_name, fingerprint, NULL, NULL"
				 " FROM @extschema@.sync_progress_tracking WHERE rule_name = ANY ($1) "
				 "UNION ALL SELECT DISTINCT rule_name, NULL, true, key FROM note",
				 take
					 ? "DELETE FROM @extschema@.sync_progress_notes"
					   " WHERE rule_name = ANY ($1) RETURNING rule_name, key"
					 : "SELECT rule_name, key FROM @extschema@.sync_progress_notes"
					   " WHERE rule_name = ANY ($1)"),
		params,
		!take,
		take_note,
		noted);
}

/*
 * Take one row of that to its rule; a SyncRowSink.
 */
static void
take_note(void *noted, int ncells, char **cells)
{
	ListCell *cell;

	foreach(cell, (List *) noted)
	{
		Noted *of = lfirst(cell);

		if (strcmp(of->outcome->rule->name, cells[NOTE_RULE]) != 0)
			continue;
		if (cells[NOTE_IS_THERE] == NULL)
			of->applied = pstrdup(cells[NOTE_FINGERPRINT]);
		else if (of->count++ < TOUCHED_MAX)
			of->keys =
				lappend(of->keys,
						cells[NOTE_KEY] ? pstrdup(cells[NOTE_KEY]) : NULL);
	}
}

/*
 * Make the statement's parameters of the notes, an array of text for each key
 * column, and leave room for one more.  Returns false where the notes do not
 * tell which keys changed.
 */
static bool
use_notes(Noted *noted)
{
	SyncRuleScope *scope = &noted->outcome->scope;
	int nkeys = list_length(noted->outcome->rule->key);
	ParamListInfo params = makeParamList(nkeys + 1);
	int count = noted->count;
	Datum *key = palloc(nkeys * sizeof(Datum));
	bool *key_nulls = palloc(nkeys * sizeof(bool));
	Datum **values = palloc(nkeys * sizeof(Datum *));
	bool **nulls = palloc(nkeys * sizeof(bool *));
	bool null_keys = false;
	ListCell *cell;

	if (count > TOUCHED_MAX)
		return false;
	for (int i = 0; i < nkeys; i++)
	{
		values[i] = palloc(Max(count, 1) * sizeof(Datum));
		nulls[i] = palloc(Max(count, 1) * sizeof(bool));
	}
	foreach(cell, noted->keys)
	{
		int row = foreach_current_index(cell);

		if (!read_key(lfirst(cell), nkeys, key, key_nulls))
			return false;
		for (int i = 0; i < nkeys; i++)
		{
			values[i][row] = key[i];
			nulls[i][row] = key_nulls[i];
			null_keys |= key_nulls[i];
		}
	}
	for (int i = 0; i < nkeys; i++)
		sync_kit_set_texts(&params->params[i], count, values[i], nulls[i]);
	scope->touched = params;
	scope->ntouched = count;
	scope->null_keys = null_keys;
	return true;
}

/*
 * The values of one note, an array of text.  Returns false where it does not
 * have a value for each key column.
 */
static bool
read_key(const char *cell, int nkeys, Datum *values, bool *nulls)
{
	Datum *elements;
	bool *element_nulls;
	int n;

	if (cell == NULL)
		return false;
	deconstruct_array(DatumGetArrayTypeP(OidFunctionCall3(F_ARRAY_IN,
														  CStringGetDatum(cell),
														  ObjectIdGetDatum(TEXTOID),
														  Int32GetDatum(-1))),
					  TEXTOID,
					  -1,
					  false,
					  TYPALIGN_INT,
					  &elements,
					  &element_nulls,
					  &n);
	if (n != nkeys)
		return false;
	memcpy(values, elements, n * sizeof(Datum));
	memcpy(nulls, element_nulls, n * sizeof(bool));
	return true;
}

/*
 * Say that the rule has been applied in full between just these relations, as
 * they are.
 */
static void
set_applied(SyncRule *rule, const char *fingerprint)
{
	const char *values[] = {rule->name,
							rule->evidence->qualified,
							rule->progress->qualified,
							fingerprint};

	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_progress_tracking AS t"
						 " (rule_name, evidence, progress, fingerprint)"
						 " VALUES ($1, $2, $3, $4)"
						 " ON CONFLICT (rule_name) DO UPDATE SET"
						 " evidence = excluded.evidence,"
						 " progress = excluded.progress,"
						 " fingerprint = excluded.fingerprint",
						 sync_kit_text_params(lengthof(values), values),
						 false,
						 NULL,
						 NULL);
}
