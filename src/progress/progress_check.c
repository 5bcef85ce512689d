/*-------------------------------------------------------------------------
 *
 * progress_check.c
 *	  What is checked when a rule is stored.
 *
 * A rule that cannot work is refused here, by name and value.  Whether its
 * relations exist is not asked: they may be made later, and may be those of a
 * foreign server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/extension.h"
#include "commands/trigger.h"
#include "utils/builtins.h"

#include "kit/kit_error.h"
#include "kit/kit_expr.h"
#include "kit/kit_ident.h"
#include "kit/kit_spi.h"
#include "kit/kit_trigger.h"
#include "kit/kit_words.h"
#include "progress/progress.h"

/* The columns of list_parts, in the order of its SELECT list */
enum PartCell
{
	PART_KIND,
	PART_NAME,
	PART_TEXT,
};

/* set while a shipped rule makes room for a user's, by replace_shipped */
static bool replacing_shipped = false;

static void check_shipped(TriggerData *trigger, const char *rule_name);
static void check_parts(TriggerData *trigger,
						HeapTuple tuple,
						const char *rule_name);
static SyncRows *list_parts(TriggerData *trigger, HeapTuple tuple);
static void check_expression(const char *text,
							 const char *kind,
							 const char *name,
							 const char *rule_name);
static void refuse(const char *rule_name, const char *why);
static void check_tracked(TriggerData *trigger, const char *rule_name);
static void refuse_tracked(const char *rule_name);
static bool keeps(TriggerData *trigger, const char *column);

/*
 * Check the row that the trigger on sync_progress_rules was fired for.
 * Returns the row to be stored.  Raises where the rule cannot work.
 */
HeapTuple
sync_progress_check_rule(TriggerData *trigger)
{
	HeapTuple tuple = trigger->tg_trigtuple;
	char *rule_name = sync_kit_trigger_text(trigger, tuple, "rule_name");

	if (rule_name == NULL || replacing_shipped)
		return tuple;

	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		check_tracked(trigger, rule_name);
		check_shipped(trigger, rule_name);
	}
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
			tuple = trigger->tg_newtuple;
		rule_name = sync_kit_trigger_text(trigger, tuple, "rule_name");
		if (rule_name == NULL)
			return tuple; /* the constraint will say so */
		check_parts(trigger, tuple, rule_name);
		if (!creating_extension)
		{
			if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
			{
				if (sync_progress_has_other_triggers(
						rule_name,
						sync_kit_trigger_text(trigger, tuple, "evidence"),
						sync_kit_read_texts(sync_kit_trigger_text(trigger,
																  tuple,
																  "key_columns"))))
					refuse_tracked(rule_name);
				sync_kit_trigger_make_room(&replacing_shipped,
										   "DELETE FROM @extschema@.sync_progress_rules"
										   " WHERE rule_name = $1 AND shipped",
										   rule_name);
			}
			/* whatever a user stores is the user's */
			tuple = sync_kit_trigger_set_false(trigger, tuple, "shipped");
		}
	}
	return tuple;
}

/*
 * Raise where a shipped rule would go: it would be back after a restore.
 */
static void
check_shipped(TriggerData *trigger, const char *rule_name)
{
	char *shipped =
		sync_kit_trigger_text(trigger, trigger->tg_trigtuple, "shipped");

	if (strcmp(shipped, "t") != 0 || creating_extension)
		return;
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		!keeps(trigger, "rule_name"))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("cannot delete or rename shipped progress rule \"%s\"",
					   rule_name),
				errhint("Set its column \"enabled\" to false instead."));
}

/*
 * Check names and expressions.
 */
static void
check_parts(TriggerData *trigger, HeapTuple tuple, const char *rule_name)
{
	static const char *const relations[] = {"evidence", "progress"};
	static const char *const conditions[] = {"evidence_filter", "validation"};
	SyncRows *parts;

	for (int i = 0; i < lengthof(relations); i++)
	{
		char *name = sync_kit_trigger_text(trigger, tuple, relations[i]);

		if (name)
			sync_kit_check_relation_name(name,
										 psprintf("%s of progress rule \"%s\"",
												  relations[i],
												  rule_name));
	}
	for (int i = 0; i < lengthof(conditions); i++)
	{
		char *text = sync_kit_trigger_text(trigger, tuple, conditions[i]);

		if (text)
			check_expression(text, "column", conditions[i], rule_name);
	}

	parts = list_parts(trigger, tuple);
	for (int i = 0; i < parts->nrows; i++)
	{
		char **part = parts->rows[i];

		if (strcmp(part[PART_KIND], "problem") == 0)
			refuse(rule_name, part[PART_TEXT]);
		else if (strcmp(part[PART_KIND], "lookup") == 0)
			sync_kit_check_relation_name(part[PART_TEXT],
										 psprintf("lookup of progress rule \"%s\"",
												  rule_name));
		else
			check_expression(part[PART_TEXT],
							 part[PART_KIND],
							 part[PART_NAME],
							 rule_name);
	}
}

/*
 * What is wrong with the row's arrays and objects ("problem"), and, where
 * nothing is, the texts in them that are to be parsed ("counter", "fallback",
 * "lookup").
 */
static SyncRows *
list_parts(TriggerData *trigger, HeapTuple tuple)
{
	const char *values[] = {
		sync_kit_trigger_text(trigger, tuple, "key_columns"),
		sync_kit_trigger_text(trigger, tuple, "progress_key_columns"),
		sync_kit_trigger_text(trigger, tuple, "competition_column"),
		sync_kit_trigger_text(trigger, tuple, "counters"),
		sync_kit_trigger_text(trigger, tuple, "insert_columns"),
		sync_kit_trigger_text(trigger, tuple, "status_column"),
		sync_kit_trigger_text(trigger, tuple, "completed_at_column"),
		sync_kit_trigger_text(trigger, tuple, "label"),
	};

	return sync_kit_spi_rows_own(
		"WITH given AS (SELECT $1::text[] AS key,"
		" coalesce($2::text[], $1::text[]) AS progress_key,"
		" $4::jsonb AS counters, $5::jsonb AS inserts), "
		"counter AS (SELECT c.key AS name, c.value FROM given, jsonb_each("
		" CASE jsonb_typeof(counters) WHEN 'object' THEN counters ELSE '{}' END) AS c), "
		"inserted AS (SELECT i.key AS name, i.value FROM given, jsonb_each("
		" CASE jsonb_typeof(inserts) WHEN 'object' THEN inserts ELSE '{}' END) AS i), "
		"member AS (SELECT i.name, m.key, m.value FROM inserted AS i, jsonb_each("
		" CASE jsonb_typeof(i.value) WHEN 'object' THEN i.value ELSE '{}' END) AS m), "
		"problem AS ("
		"SELECT 'The array key_columns is empty.' AS text FROM given"
		" WHERE cardinality(key) = 0 "
		"UNION ALL SELECT 'There are more than 32 key_columns.' FROM given"
		" WHERE cardinality(key) > 32 "
		"UNION ALL SELECT 'The key columns must be plain lists of names.' FROM given"
		" WHERE array_ndims(key) > 1 OR array_ndims(progress_key) > 1"
		" OR array_lower(key, 1) <> 1 OR array_lower(progress_key, 1) <> 1"
		" OR array_position(key, NULL) IS NOT NULL"
		" OR array_position(progress_key, NULL) IS NOT NULL "
		"UNION ALL SELECT format('Column \"%s\" is named twice in key_columns.', k)"
		" FROM given, unnest(key) AS k GROUP BY k HAVING count(*) > 1 AND k IS NOT NULL "
		"UNION ALL SELECT format('Column \"%s\" has a name that is reserved: it begins with \"sync_\".', k)"
		" FROM given, unnest(key) AS k WHERE starts_with(k, 'sync_') "
		"UNION ALL SELECT 'The label is empty, or has control characters in it.'"
		" WHERE $8 = '' OR $8 ~ '[[:cntrl:]]' "
		"UNION ALL SELECT format('There are %s key_columns, and %s progress_key_columns.',"
		" cardinality(key), cardinality(progress_key)) FROM given"
		" WHERE cardinality(key) <> cardinality(progress_key) "
		"UNION ALL SELECT format('The competition_column \"%s\" is not one of key_columns.', $3)"
		" FROM given WHERE $3 <> ALL (key) "
		"UNION ALL SELECT 'The value of counters is not a JSON object.' FROM given"
		" WHERE jsonb_typeof(counters) <> 'object' "
		"UNION ALL SELECT 'The value of insert_columns is not a JSON object.' FROM given"
		" WHERE jsonb_typeof(inserts) <> 'object' "
		"UNION ALL SELECT format('The counter \"%s\" is not a string.', name)"
		" FROM counter WHERE jsonb_typeof(value) <> 'string' "
		"UNION ALL SELECT format('The insert column \"%s\" is not a JSON object.', name)"
		" FROM inserted WHERE jsonb_typeof(value) <> 'object' "
		"UNION ALL SELECT format('The insert column \"%s\" has neither \"column\" nor \"fallback\".', name)"
		" FROM inserted WHERE jsonb_typeof(value) = 'object' AND NOT value ?| '{column,fallback}' "
		"UNION ALL SELECT format('The insert column \"%s\" has \"lookup\" but no \"column\".', name)"
		" FROM inserted WHERE value ? 'lookup' AND NOT value ? 'column' "
		"UNION ALL SELECT format('The insert column \"%s\" has a member \"%s\" that is not recognized,"
		" or not of the right type: %s.', name, key, value)"
		" FROM member WHERE NOT CASE key"
		" WHEN 'lookup' THEN jsonb_typeof(value) = 'string'"
		" WHEN 'fallback' THEN jsonb_typeof(value) = 'string'"
		" WHEN 'optional' THEN jsonb_typeof(value) = 'boolean'"
		" WHEN 'column' THEN jsonb_typeof(value) = 'string'"
		" OR value @? '$[*] ? (@.type() == \"string\")'"
		" AND NOT value @? 'strict $[*] ? (@.type() != \"string\")'"
		" ELSE false END "
		"UNION ALL SELECT format('Column \"%s\" of the progress relation is set more than once.', name)"
		" FROM (SELECT unnest(progress_key) AS name FROM given UNION ALL VALUES ($6), ($7)"
		" UNION ALL SELECT name FROM counter UNION ALL SELECT name FROM inserted) AS used"
		" WHERE name IS NOT NULL GROUP BY name HAVING count(*) > 1) "
		"SELECT 'problem', NULL, text FROM problem "
		"UNION ALL SELECT 'counter', name, value #>> '{}' FROM counter"
		" WHERE NOT EXISTS (SELECT FROM problem) "
		"UNION ALL SELECT key, name, value #>> '{}' FROM member"
		" WHERE key IN ('lookup', 'fallback') AND NOT EXISTS (SELECT FROM problem)",
		sync_kit_text_params(lengthof(values), values));
}

/*
 * Raise unless "text" is an SQL expression.
 */
static void
check_expression(const char *text,
				 const char *kind,
				 const char *name,
				 const char *rule_name)
{
	(void)
		sync_kit_parse_expression(text,
								  psprintf("%s \"%s\" of progress rule \"%s\"",
										   kind,
										   name,
										   rule_name));
}

/*
 * Raise that the rule cannot be stored.
 */
static void
refuse(const char *rule_name, const char *why)
{
	sync_kit_refuse(psprintf("progress rule \"%s\"", rule_name),
					why,
					"The comments on the columns of sync_progress_rules say what each may hold: \\d+ sync_progress_rules.");
}

/*
 * The triggers of a tracked rule are made for its evidence and its key: raise
 * where these would change.
 */
static void
check_tracked(TriggerData *trigger, const char *rule_name)
{
	if (sync_progress_has_triggers(rule_name) &&
		(TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		 !keeps(trigger, "rule_name") || !keeps(trigger, "evidence") ||
		 !keeps(trigger, "key_columns")))
		refuse_tracked(rule_name);
}

/*
 * Raise that a rule is tracked.
 */
static void
refuse_tracked(const char *rule_name)
{
	ereport(ERROR,
			errcode(ERRCODE_OBJECT_IN_USE),
			errmsg("progress rule \"%s\" is tracked", rule_name),
			errdetail("Its name, evidence and key_columns cannot change meanwhile."),
			errhint("Run SELECT sync_untrack_progress(%s) first.",
					quote_literal_cstr(rule_name)));
}

/*
 * Whether an update leaves that column, which is never NULL, as it was.
 */
static bool
keeps(TriggerData *trigger, const char *column)
{
	char *old = sync_kit_trigger_text(trigger, trigger->tg_trigtuple, column);
	char *new = sync_kit_trigger_text(trigger, trigger->tg_newtuple, column);

	return new != NULL &&strcmp(old, new) == 0;
}
