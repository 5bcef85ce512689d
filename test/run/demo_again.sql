
-- Again: nothing has changed, and nothing is written.
SELECT rows_read, inserted, updated, unchanged, bytes, duration FROM sync_run('athletes');

-- One name changes there: what would a run do here?
\connect app
UPDATE "User" SET name = 'Ann Athlete' WHERE name = 'Athlete 7';
\connect demo
SELECT action, before, after FROM sync_diff('athletes');
SELECT rows_read, inserted, updated, unchanged FROM sync_run('athletes');

-- All that was done, and how it ended.
SELECT operation, subject, outcome, rows_read, inserted, updated, unchanged FROM sync_history ORDER BY history_id;
