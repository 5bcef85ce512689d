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
	NOTE_FINGERPRINT,
	NOTE_IS_THERE,
	NOTE_KEY,
};

static SyncRows *read_notes(SyncRule *rule, bool take);
static bool use_notes(SyncRows *notes, int nkeys, SyncScope *scope);
static bool read_key(const char *cell, int nkeys, Datum *values, bool *nulls);
static void set_applied(SyncRule *rule, const char *fingerprint);

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
	char *fingerprint;
	const char *applied;
	bool leads_on;

	/* a role that does not see every row cannot do what the notes ask for */
	if (!sync_progress_is_tracked(rule) || rule->evidence->row_security ||
		rule->progress->row_security || !strchr("rp", rule->progress->kind))
		return false;

	notes = read_notes(rule, take);
	fingerprint = sync_progress_fingerprint(rule);
	applied = notes->rows[0][NOTE_FINGERPRINT];
	leads_on = applied && strcmp(applied, fingerprint) == 0;
	if (leads_on && !all && use_notes(notes, list_length(rule->key), scope))
		return true;
	if (take && !leads_on)
		set_applied(rule, fingerprint);
	return false;
}

/*
 * The distinct notes of a rule, at most TOUCHED_MAX and one more, and in each
 * row what they lead on from.  There is a row also where there is no note.
 */
static SyncRows *
read_notes(SyncRule *rule, bool take)
{
	SyncRows *notes = sync_kit_rows_create();
	const char *name = rule->name;

	sync_kit_spi_run_own(
		psprintf("WITH note AS (%s) "
				 "SELECT t.fingerprint, n.is_there, n.key"
				 " FROM (SELECT (SELECT fingerprint FROM @extschema@.sync_progress_tracking"
				 " WHERE rule_name = $1) AS fingerprint) AS t"
				 " LEFT JOIN (SELECT DISTINCT true AS is_there, key FROM note LIMIT %d) AS n ON true",
				 take
					 ? "DELETE FROM @extschema@.sync_progress_notes"
					   " WHERE rule_name = $1 RETURNING key"
					 : "SELECT key FROM @extschema@.sync_progress_notes WHERE rule_name = $1",
				 TOUCHED_MAX + 1),
		sync_kit_text_params(1, &name),
		!take,
		sync_kit_rows_collect,
		notes);
	return notes;
}

/*
 * Make the statement's parameters of the notes, an array of text for each key
 * column, and leave room for one more.  Returns false where the notes do not
 * tell which keys changed.
 */
static bool
use_notes(SyncRows *notes, int nkeys, SyncScope *scope)
{
	ParamListInfo params = makeParamList(nkeys + 1);
	int count = notes->rows[0][NOTE_IS_THERE] ? notes->nrows : 0;
	Datum *key = palloc(nkeys * sizeof(Datum));
	bool *key_nulls = palloc(nkeys * sizeof(bool));
	Datum **values = palloc(nkeys * sizeof(Datum *));
	bool **nulls = palloc(nkeys * sizeof(bool *));
	bool null_keys = false;

	if (count > TOUCHED_MAX)
		return false;
	for (int i = 0; i < nkeys; i++)
	{
		values[i] = palloc(Max(count, 1) * sizeof(Datum));
		nulls[i] = palloc(Max(count, 1) * sizeof(bool));
	}
	for (int row = 0; row < count; row++)
	{
		if (!read_key(notes->rows[row][NOTE_KEY], nkeys, key, key_nulls))
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
