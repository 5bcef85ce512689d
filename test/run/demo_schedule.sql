
-- pg_cron is to put the stream into the queue each minute.  A worker, which the server started
-- by itself, will perform it.
CREATE EXTENSION pg_cron;
SELECT pid, state FROM sync_stat_workers;
SELECT sync_schedule('copy athletes', '* * * * *', 'stream', '{"stream": "athletes"}');
SELECT name, schedule, next_run::time(0) AS next_run FROM sync_schedules;

-- In the meantime two athletes join the app.  Nothing of them is here yet.
\connect app
INSERT INTO "User" VALUES (gen_random_uuid(), 'Zoe Zebra'), (gen_random_uuid(), 'Max Muster');
\connect demo
SELECT count(*) FROM athlete_dim WHERE full_name IN ('Zoe Zebra', 'Max Muster');

-- Wait for the next full minute.
