-- Progress: rules that mark as done what evidence shows to be done.

CREATE TABLE sync_progress_rules (
	rule_name text NOT NULL,
	position integer NOT NULL DEFAULT 100,
	enabled boolean NOT NULL DEFAULT true,
	label text NOT NULL,
	evidence text NOT NULL,
	key_columns text[] NOT NULL,
	evidence_filter text,
	validation text,
	competition_column text,
	progress text NOT NULL,
	progress_key_columns text[],
	status_column text NOT NULL DEFAULT 'status',
	done_value text NOT NULL DEFAULT 'completed',
	completed_at_column text DEFAULT 'completed_at',
	counters jsonb NOT NULL DEFAULT '{}',
	insert_columns jsonb NOT NULL DEFAULT '{}',
	shipped boolean NOT NULL DEFAULT false,
	CONSTRAINT sync_progress_rules_pkey PRIMARY KEY (rule_name),
	CONSTRAINT sync_progress_rules_rule_name_check CHECK (rule_name <> '' AND octet_length(rule_name) <= 40)
);
REVOKE ALL ON TABLE sync_progress_rules FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_progress_rules', 'WHERE NOT shipped');

COMMENT ON TABLE sync_progress_rules IS
'Reconciliation rules, one a row: where the evidence relation has rows for a key, the row of that key in the progress relation is to be there and done. Expressions in a rule run with the rights of whoever runs it: let only those write here whom you trust so far.';
COMMENT ON COLUMN sync_progress_rules.rule_name IS 'Name of the rule, at most 40 bytes.';
COMMENT ON COLUMN sync_progress_rules.position IS 'Rules run in this order, then by name.';
COMMENT ON COLUMN sync_progress_rules.enabled IS 'false: the rule runs only where it is named.';
COMMENT ON COLUMN sync_progress_rules.label IS 'What the rule marks, in the plural, for reports: competitions. Where there is one, a regular English plural is taken off.';
COMMENT ON COLUMN sync_progress_rules.evidence IS 'Relation whose rows are the evidence, written as in SQL: NAME or SCHEMA.NAME, quoted where needed.';
COMMENT ON COLUMN sync_progress_rules.key_columns IS 'Columns of the evidence that make the key, by their exact names.';
COMMENT ON COLUMN sync_progress_rules.evidence_filter IS 'SQL condition on a row of the evidence; rows that do not meet it are no evidence. NULL: all rows are.';
COMMENT ON COLUMN sync_progress_rules.validation IS 'SQL condition with aggregates over the evidence of one key, as count(*) >= 18; keys that do not meet it are left as they are and counted in the report.';
COMMENT ON COLUMN sync_progress_rules.competition_column IS 'Column of the evidence that the argument "competition" of sync_progress restricts, one of key_columns; NULL: the rule is left out where a competition is asked for.';
COMMENT ON COLUMN sync_progress_rules.progress IS 'Relation to be kept, written as in SQL.';
COMMENT ON COLUMN sync_progress_rules.progress_key_columns IS 'The columns of the progress relation that match key_columns one by one; NULL: they have the same names.';
COMMENT ON COLUMN sync_progress_rules.status_column IS 'Column of the progress relation that says whether a key is done.';
COMMENT ON COLUMN sync_progress_rules.done_value IS 'Value of the status column that says it is.';
COMMENT ON COLUMN sync_progress_rules.completed_at_column IS 'Column of the progress relation that is set to the time of the transaction whenever a row is marked; NULL: there is none.';
COMMENT ON COLUMN sync_progress_rules.counters IS 'Columns of the progress relation and the aggregate over the evidence that each must equal: {"clubs_saved": "count(*)"}.';
COMMENT ON COLUMN sync_progress_rules.insert_columns IS
'Columns that are set only when a row is added: {"column": {"lookup": relation, "column": name or names, "optional": boolean, "fallback": expression}}. The value is that of the first of the named columns that exists, in the lookup relation (joined on the columns of the key) or, without "lookup", in the evidence; where there is none or it is empty, the fallback, an SQL expression over the key columns. "optional": none of the columns needs to exist.';
COMMENT ON COLUMN sync_progress_rules.shipped IS 'true: the row came with the extension and is not dumped. Any change to it makes it yours, and so does a row of the same name that you insert, also with ON CONFLICT. It cannot be deleted or renamed: set enabled to false.';

CREATE FUNCTION sync_progress_rules_check() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_progress_rules_check';
REVOKE ALL ON FUNCTION sync_progress_rules_check() FROM PUBLIC;
COMMENT ON FUNCTION sync_progress_rules_check() IS
'Refuses a rule that cannot work (names and expressions that do not parse, keys that do not match), a change of the key of a tracked rule, and the removal of a shipped one.';

INSERT INTO sync_progress_rules (rule_name, position, label, evidence,
	key_columns, competition_column, progress, counters, insert_columns, shipped) VALUES
('competition', 10, 'competitions', 'teams',
	'{competition_id}', 'competition_id', 'competition_progress',
	'{"seasons_discovered": "count(DISTINCT season_year)"}',
	'{"competition_url": {"lookup": "competitions", "column": ["URL", "url"],
	  "fallback": "''MISSING_URL_FOR_'' || competition_id"}}',
	true),
('season', 20, 'seasons', 'teams',
	'{competition_id,season_year}', 'competition_id', 'season_progress',
	'{"clubs_saved": "count(*)"}',
	'{"season_id": {"column": "season_id", "optional": true,
	  "fallback": "season_year"}}',
	true);

CREATE TRIGGER sync_progress_rules_check
	BEFORE INSERT OR UPDATE OR DELETE ON sync_progress_rules
	FOR EACH ROW EXECUTE FUNCTION sync_progress_rules_check();

CREATE TABLE sync_progress_tracking (
	rule_name text NOT NULL,
	evidence text NOT NULL,
	progress text NOT NULL,
	fingerprint text NOT NULL,
	CONSTRAINT sync_progress_tracking_pkey PRIMARY KEY (rule_name)
);
REVOKE ALL ON TABLE sync_progress_tracking FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_progress_tracking', '');

COMMENT ON TABLE sync_progress_tracking IS
'For a tracked rule, what it has been applied to in full: the notes tell all that came after. Where this is not its row any more, a run reads everything.';
COMMENT ON COLUMN sync_progress_tracking.rule_name IS 'The tracked rule.';
COMMENT ON COLUMN sync_progress_tracking.evidence IS 'Its evidence, schema-qualified.';
COMMENT ON COLUMN sync_progress_tracking.progress IS 'Its progress relation, schema-qualified.';
COMMENT ON COLUMN sync_progress_tracking.fingerprint IS 'A hash of what the rule said, and of the identity of both relations, their columns and triggers.';

CREATE TABLE sync_progress_notes (
	rule_name text NOT NULL,
	key text[]
);
REVOKE ALL ON TABLE sync_progress_notes FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_progress_notes', '');

COMMENT ON TABLE sync_progress_notes IS
'Keys that changed in the evidence of tracked rules since the last run; the next one reads only these.';
COMMENT ON COLUMN sync_progress_notes.rule_name IS 'The tracked rule.';
COMMENT ON COLUMN sync_progress_notes.key IS 'Values of the rule''s key columns as text; NULL: everything may have changed.';

CREATE FUNCTION sync_progress_note() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_progress_note';
REVOKE ALL ON FUNCTION sync_progress_note() FROM PUBLIC;
COMMENT ON FUNCTION sync_progress_note() IS
'Trigger function of tracked evidence: notes the keys that a statement touched. Arguments: the rule, then its key columns.';

CREATE FUNCTION sync_progress(dry_run boolean DEFAULT true,
	competition text DEFAULT NULL, environment text DEFAULT NULL,
	rule text DEFAULT NULL, "full" boolean DEFAULT false,
	max_details integer DEFAULT 100) RETURNS SETOF text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_progress';
REVOKE ALL ON FUNCTION sync_progress(boolean, text, text, text, boolean, integer) FROM PUBLIC;
COMMENT ON FUNCTION sync_progress(boolean, text, text, text, boolean, integer) IS
'Reconcile progress with its evidence by the enabled rules, and report what was (dry_run: would be) added and updated, a line a row.
dry_run: write nothing (default); works on a standby too.
competition: only this one; NULL: all.
environment: name of a foreign server to do it on; NULL: this database.
rule: only this rule; NULL: all that are enabled.
full: read all evidence, also where a rule is tracked.
max_details: how many changes the report lists, at least 0; sync_progress_drift() lists all.
Errors: P0002 no evidence for the competition, 42P01 and 42703 relations or columns missing, 42501 no right, 42704 unknown rule or environment, 08001 no connection, 25001 repeatable read, 25006 read-only.';

CREATE FUNCTION sync_progress_drift(competition text DEFAULT NULL,
	rule text DEFAULT NULL, environment text DEFAULT NULL,
	OUT rule_name text, OUT relation text, OUT action text, OUT key jsonb,
	OUT before jsonb, OUT after jsonb) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_progress_drift';
REVOKE ALL ON FUNCTION sync_progress_drift(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_progress_drift(text, text, text) IS
'What sync_progress would change, as data, one row a change: rule_name, relation (the progress relation), action (add or update), key, and the columns before and after. Reads all evidence and writes nothing. Arguments and errors as in sync_progress.';

CREATE FUNCTION sync_progress_analyze(environment text DEFAULT NULL) RETURNS SETOF text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_progress_analyze';
REVOKE ALL ON FUNCTION sync_progress_analyze(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_progress_analyze(text) IS
'A report on the state of progress by the enabled rules: the 20 keys with most evidence, the 10 latest progress rows, the 10 largest keys with their completion ratio, and what is done without evidence. environment: as in sync_progress. Writes nothing.';

CREATE FUNCTION sync_track_progress(rule text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_track_progress';
REVOKE ALL ON FUNCTION sync_track_progress(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_track_progress(text) IS
'Note from now on which keys change in the rule''s evidence, by statement triggers, so that sync_progress reads only these. To be called by the owner of the evidence table, which must be a plain table. The first run after it reads everything. Changes made to the progress relation by others are not noted: sync_progress(full => true) sees them. Errors: 42704 unknown rule, 42809 not a plain table, 42710 tracked already.';

CREATE FUNCTION sync_untrack_progress(rule text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_untrack_progress';
REVOKE ALL ON FUNCTION sync_untrack_progress(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_untrack_progress(text) IS
'Stop noting changes for the rule: drops the triggers and the notes. Errors: 42704 unknown rule or not tracked.';
