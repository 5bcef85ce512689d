-- One line on how far the tasks of partners are; demo.sh asks again and again, and prints
-- the line when it says something new.
SELECT format('  tasks: %s done, %s failed, %s in the queue',
	(SELECT count(*) FROM sync_history WHERE timing_partner_id IS NOT NULL AND queue_id IS NOT NULL AND status = 'success'),
	(SELECT count(*) FROM sync_history WHERE timing_partner_id IS NOT NULL AND status <> 'success'),
	(SELECT count(*) FROM sync_queue));
