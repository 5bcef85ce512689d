-- the rules that come with the extension, and what becomes of them when they are changed
\pset format unaligned
\pset tuples_only
CREATE SCHEMA rules_shipped;
SET search_path = rules_shipped, public;

-- any change makes a rule the user's, and nothing makes it the extension's again
BEGIN;
UPDATE sync_progress_rules SET position = 11 WHERE rule_name = 'competition';
SELECT rule_name, shipped FROM sync_progress_rules ORDER BY 1;
UPDATE sync_progress_rules SET shipped = true WHERE rule_name = 'competition';
SELECT rule_name, shipped FROM sync_progress_rules ORDER BY 1;
ROLLBACK;

-- a rule of the same name takes the place of one that was shipped, in any way of inserting it
BEGIN;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress, shipped)
VALUES ('season', 'years', 'clubs', '{year}', 'years', true);
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;
ROLLBACK;
BEGIN;
INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
VALUES ('season', 'years', 'clubs', '{year}', 'years')
ON CONFLICT (rule_name) DO UPDATE SET label = 'conflicts';
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;
ROLLBACK;
BEGIN;
COPY sync_progress_rules (rule_name, label, evidence, key_columns, progress) FROM stdin;
season	years	clubs	{year}	years
\.
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;
ROLLBACK;

-- but not of one that is the user's own
BEGIN;
UPDATE sync_progress_rules SET label = 'mine' WHERE rule_name = 'season';
SELECT complaint($$INSERT INTO sync_progress_rules (rule_name, label, evidence, key_columns, progress)
	VALUES ('season', 'years', 'clubs', '{year}', 'years')$$);
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;
ROLLBACK;

-- a rule that is refused leaves the one that was shipped where it is
SELECT left(max(line), 5) FROM complaint($$INSERT INTO sync_progress_rules
	(rule_name, label, evidence, key_columns, progress, validation)
	VALUES ('season', 'years', 'clubs', '{year}', 'years', 'count(')$$) AS line;
SELECT rule_name, label, shipped FROM sync_progress_rules ORDER BY 1;

-- they cannot go, only be switched off; without any rule there is nothing to do
DELETE FROM sync_progress_rules;
BEGIN;
UPDATE sync_progress_rules SET enabled = false;
SELECT sync_progress();
SELECT count(*) FROM sync_progress_drift();
ROLLBACK;

-- only what is the user's is dumped
SELECT extcondition[array_position(extconfig, 'sync_progress_rules'::regclass::oid)],
	extcondition[array_position(extconfig, 'sync_history'::regclass::oid)],
	extcondition[array_position(extconfig, 'sync_progress_notes'::regclass::oid)]
FROM pg_extension WHERE extname = 'sync_ext';

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA rules_shipped CASCADE;
