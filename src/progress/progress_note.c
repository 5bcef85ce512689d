/*-------------------------------------------------------------------------
 *
 * progress_note.c
 *	  What the triggers on tracked evidence do: note the keys that a statement
 *	  touched.
 *
 * The transition tables are read as they are, without SQL.  Rows of one key
 * mostly come together, so a row is compared with the one before it first, and
 * looked up in a table of the keys seen so far only where it differs.
 *
 * A statement that touches very many keys leaves one note that says
 * "everything": reading all is then the cheaper way too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "kit/kit_override.h"
#include "kit/kit_spi.h"
#include "progress/progress.h"

#define KEYS_FIRST 16
#define KEYS_MAX   10000 /* noted one by one, for one statement */

/* One key: a value for each key column */
typedef struct NotedKey
{
	Datum *values;
	bool *nulls;
} NotedKey;

typedef struct KeyEntry
{
	NotedKey key;
	uint32 hash;
	char status;
} KeyEntry;

/* The keys of one statement */
typedef struct KeySet
{
	const char *rule_name;
	int ncolumns;
	AttrNumber *columns;
	Form_pg_attribute *types;
	struct keys_hash *seen;
	NotedKey last; /* of the row before, or NULL values */
	MemoryContext context;
} KeySet;

static uint32 hash_key(KeySet *set, NotedKey key);
static bool same_key(KeySet *set, NotedKey a, NotedKey b);

#define SH_PREFIX			 keys
#define SH_ELEMENT_TYPE		 KeyEntry
#define SH_KEY_TYPE			 NotedKey
#define SH_KEY				 key
#define SH_HASH_KEY(tb, key) hash_key((tb)->private_data, key)
#define SH_EQUAL(tb, a, b)	 same_key((tb)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE			   static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static bool start_set(KeySet *set, TriggerData *trigger);
static bool collect(KeySet *set, Tuplestorestate *rows, TupleDesc desc);
static bool add_row(KeySet *set, TupleTableSlot *slot);
static NotedKey copy_key(KeySet *set, NotedKey key);
static void write_notes(KeySet *set);
static void write_everything(const char *rule_name);
static ParamListInfo make_arrays(KeySet *set);

/*
 * Note the keys of the rows that the statement added, changed or removed.
 */
void
sync_progress_note(TriggerData *trigger)
{
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	MemoryContext caller = CurrentMemoryContext;
	KeySet set = {.rule_name = trigger->tg_trigger->tgargs[0]};

	set.context =
		AllocSetContextCreate(caller, "sync noted keys", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(set.context);
	if (!TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) &&
		start_set(&set, trigger) && collect(&set, trigger->tg_oldtable, desc) &&
		collect(&set, trigger->tg_newtable, desc))
		write_notes(&set);
	else
		write_everything(set.rule_name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(set.context);
}

/*
 * Find the key columns that the trigger's arguments name.  Returns false, with
 * a warning, where one is gone: the user's statement shall not fail for it,
 * nor its change be lost.
 */
static bool
start_set(KeySet *set, TriggerData *trigger)
{
	Relation relation = trigger->tg_relation;

	set->ncolumns = trigger->tg_trigger->tgnargs - 1;
	set->columns = palloc(set->ncolumns * sizeof(AttrNumber));
	set->types = palloc(set->ncolumns * sizeof(Form_pg_attribute));
	for (int i = 0; i < set->ncolumns; i++)
	{
		const char *name = trigger->tg_trigger->tgargs[i + 1];

		set->columns[i] = get_attnum(RelationGetRelid(relation), name);
		if (set->columns[i] <= 0)
		{
			ereport(WARNING,
					errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of relation \"%s\" does not exist, but progress rule \"%s\" tracks it",
						   name,
						   RelationGetRelationName(relation),
						   set->rule_name),
					errhint("Untrack the rule, adapt its key_columns, and track it again."));
			return false;
		}
		set->types[i] =
			TupleDescAttr(RelationGetDescr(relation), set->columns[i] - 1);
	}
	set->seen = keys_create(set->context, KEYS_FIRST, set);
	return true;
}

/*
 * Add the keys of a transition table, if there is one.  Returns false where
 * there are too many.
 */
static bool
collect(KeySet *set, Tuplestorestate *rows, TupleDesc desc)
{
	TupleTableSlot *slot;
	bool fits = true;

	if (rows == NULL)
		return true;

	/* other triggers read the same store: use a position of our own */
	tuplestore_select_read_pointer(rows,
								   tuplestore_alloc_read_pointer(rows,
																 EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	while (fits && tuplestore_gettupleslot(rows, true, false, slot))
		fits = add_row(set, slot);
	set->last.values = NULL;
	ExecDropSingleTupleTableSlot(slot);
	return fits;
}

/*
 * Add the key of one row.  Returns false where the set is full.
 */
static bool
add_row(KeySet *set, TupleTableSlot *slot)
{
	Datum values[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	NotedKey key = {values, nulls};
	KeyEntry *entry;
	bool found;

	for (int i = 0; i < set->ncolumns; i++)
		values[i] = slot_getattr(slot, set->columns[i], &nulls[i]);
	if (set->last.values && same_key(set, set->last, key))
		return true;

	entry = keys_insert(set->seen, key, &found);
	if (!found)
		entry->key = copy_key(set, key);
	set->last = entry->key;
	return set->seen->members <= KEYS_MAX;
}

/*
 * Copy a key into the set's memory.
 */
static NotedKey
copy_key(KeySet *set, NotedKey key)
{
	NotedKey copy = {
		palloc(set->ncolumns * sizeof(Datum)),
		palloc(set->ncolumns * sizeof(bool)),
	};

	for (int i = 0; i < set->ncolumns; i++)
	{
		copy.nulls[i] = key.nulls[i];
		copy.values[i] = key.nulls[i] ? (Datum) 0
									  : datumCopy(key.values[i],
												  set->types[i]->attbyval,
												  set->types[i]->attlen);
	}
	return copy;
}

/*
 * Hash a key by the bytes of its values.
 */
static uint32
hash_key(KeySet *set, NotedKey key)
{
	uint32 hash = 0;

	for (int i = 0; i < set->ncolumns; i++)
		hash = hash_combine(hash,
							key.nulls[i]
								? 0
								: datum_image_hash(key.values[i],
												   set->types[i]->attbyval,
												   set->types[i]->attlen));
	return hash;
}

/*
 * Whether two keys have the same bytes.
 */
static bool
same_key(KeySet *set, NotedKey a, NotedKey b)
{
	for (int i = 0; i < set->ncolumns; i++)
	{
		if (a.nulls[i] != b.nulls[i])
			return false;
		if (!a.nulls[i] && !datum_image_eq(a.values[i],
										   b.values[i],
										   set->types[i]->attbyval,
										   set->types[i]->attlen))
			return false;
	}
	return true;
}

/*
 * Write the keys as notes, in one statement.
 */
static void
write_notes(KeySet *set)
{
	StringInfoData sql;
	int guc_nest;

	if (set->seen->members == 0)
		return;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "INSERT INTO @extschema@.sync_progress_notes"
						   " (rule_name, key) SELECT $1, ARRAY[");
	for (int i = 0; i < set->ncolumns; i++)
		appendStringInfo(&sql, "%sk%d", i > 0 ? ", " : "", i);
	appendStringInfoString(&sql, "] FROM unnest(");
	for (int i = 0; i < set->ncolumns; i++)
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 2);
	appendStringInfoString(&sql, ") AS touched (");
	for (int i = 0; i < set->ncolumns; i++)
		appendStringInfo(&sql, "%sk%d", i > 0 ? ", " : "", i);
	appendStringInfoChar(&sql, ')');

	/* the run that reads the text may have other settings than this session */
	guc_nest = NewGUCNestLevel();
	sync_kit_override("datestyle", "ISO");
	sync_kit_override("extra_float_digits", "1");
	sync_kit_override("intervalstyle", "postgres");
	sync_kit_override("search_path", "pg_catalog");
	sync_kit_spi_run_own(sql.data, make_arrays(set), false, NULL, NULL);
	AtEOXact_GUC(false, guc_nest);
}

/*
 * Note that any key may have changed.
 */
static void
write_everything(const char *rule_name)
{
	sync_kit_spi_run_own("INSERT INTO @extschema@.sync_progress_notes (rule_name) VALUES ($1)",
						 sync_kit_text_params(1, &rule_name),
						 false,
						 NULL,
						 NULL);
}

/*
 * The rule's name, and an array of text for each key column.
 */
static ParamListInfo
make_arrays(KeySet *set)
{
	ParamListInfo params = makeParamList(set->ncolumns + 1);
	int count = set->seen->members;

	sync_kit_set_param(params, 0, TEXTOID, CStringGetTextDatum(set->rule_name));
	for (int i = 0; i < set->ncolumns; i++)
	{
		Datum *values = palloc(count * sizeof(Datum));
		bool *nulls = palloc(count * sizeof(bool));
		int n = 0;
		keys_iterator iterator;
		KeyEntry *entry;
		Oid output;
		bool varlena;
		FmgrInfo function;

		getTypeOutputInfo(set->types[i]->atttypid, &output, &varlena);
		fmgr_info(output, &function);
		keys_start_iterate(set->seen, &iterator);
		while ((entry = keys_iterate(set->seen, &iterator)) != NULL)
		{
			nulls[n] = entry->key.nulls[i];
			values[n] =
				nulls[n]
					? (Datum) 0
					: CStringGetTextDatum(OutputFunctionCall(&function,
															 entry->key
																 .values[i]));
			n++;
		}
		sync_kit_set_texts(&params->params[i + 1], n, values, nulls);
	}
	return params;
}
