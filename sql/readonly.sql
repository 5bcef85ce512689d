-- transactions that cannot write, or do not see what others commit
\pset format unaligned
\pset tuples_only
CREATE SCHEMA readonly;
SET search_path = readonly, public;
CALL football();
CALL field('EPL', 2022, 2023, 2);
TRUNCATE sync_history;

-- a dry run needs no right to write
START TRANSACTION READ ONLY;
SELECT sync_progress();
SELECT rule_name, key FROM sync_progress_drift();
SELECT count(*) FROM sync_progress_analyze();
SELECT sync_progress(false);
ROLLBACK;

-- all of what it shows is of one moment
START TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM sync_progress_drift();
SELECT complaint('SELECT sync_progress(false)');
SELECT count(*) FROM sync_progress();
ROLLBACK;
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE;
SELECT count(*) FROM sync_progress();
ROLLBACK;
START TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT complaint('SELECT sync_progress(false)');
ROLLBACK;
START TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;
SELECT count(*) FROM sync_progress(false);
ROLLBACK;

-- nothing was written but what failed
SELECT count(*) FROM competition_progress;
SELECT status, error_sqlstate, error_message FROM sync_history ORDER BY history_id;

-- tracked rules are no exception: their notes are read and stay
SELECT sync_track_progress('season');
SELECT count(*) FROM sync_progress(false);
CALL field('LIGA', 2023, 2023, 1);
START TRANSACTION READ ONLY;
SELECT sync_progress();
SELECT sync_progress("full" => true);
ROLLBACK;
SELECT count(*) FROM sync_progress_notes;

-- tracking writes
START TRANSACTION READ ONLY;
SELECT left(max(line), 5) FROM complaint('SELECT sync_untrack_progress(''season'')') AS line;
ROLLBACK;
SELECT sync_untrack_progress('season');

-- a database where transactions only read unless told otherwise keeps its history too
SELECT current_database() AS database \gset
ALTER DATABASE :"database" SET default_transaction_read_only = on;
\c
SET search_path = readonly, public;
START TRANSACTION READ WRITE;
SELECT complaint('SELECT sync_progress(false, ''nobody'')');
ROLLBACK;
SELECT status, error_sqlstate FROM sync_history WHERE subject = 'nobody';
SET default_transaction_read_only = off;
ALTER DATABASE :"database" RESET default_transaction_read_only;

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA readonly CASCADE;
