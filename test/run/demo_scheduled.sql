-- Here they are.
SELECT count(*) FROM athlete_dim WHERE full_name IN ('Zoe Zebra', 'Max Muster');

-- The task has left the queue.  History has two rows of it: the task, and the run of the stream in it.
SELECT count(*) FROM sync_queue;
SELECT operation, subject, queue_id, attempt, run_by, status, started_at::time(3), duration, inserted
	FROM sync_history WHERE started_at > now() - interval '1 minute' AND operation = 'stream' ORDER BY history_id DESC LIMIT 2;
SELECT name, last_run::time(0) AS last_run, last_status, next_run::time(0) AS next_run FROM sync_schedules;
SELECT sync_unschedule('copy athletes');
