-- One line on where the scheduled task is: with pg_cron, in the queue, with a worker, in
-- history; demo.sh asks again and again, and prints the line when it says something new.
SELECT CASE
	WHEN past.queue_id IS NOT NULL THEN format('  history: task %s ended with %s', past.queue_id, past.status)
	WHEN worker.pid IS NOT NULL THEN format('  worker:  process %s performs task %s', worker.pid, worker.queue_id)
	WHEN task.queue_id IS NOT NULL THEN format('  queue:   task %s, %s', task.queue_id, task.operation_type)
	ELSE format('  pg_cron: fires in %s s', ceil(extract(epoch FROM clock.next_run - clock_timestamp()) / 10) * 10)
END
FROM sync_schedules AS clock
LEFT JOIN (SELECT * FROM sync_history WHERE operation = 'stream' AND queue_id IS NOT NULL LIMIT 1) AS past ON true
LEFT JOIN (SELECT * FROM sync_stat_workers WHERE queue_id IS NOT NULL LIMIT 1) AS worker ON true
LEFT JOIN sync_queue AS task ON true;
