-- One line on the run at work, if there is one; demo.sh asks for it again and again.
SELECT format('  %s %s%s %s of %s rows%s', rpad(phase, 10), repeat('█', bar), repeat('░', 30 - bar),
	lpad(to_char(rows, 'FM999,999,999'), 7), to_char(total, 'FM999,999,999'),
	CASE WHEN bytes > 0 THEN ', ' || pg_size_pretty(bytes) || ' read' END)
FROM sync_stat_progress, LATERAL (SELECT least(30, (30 * rows / greatest(total, 1)))::int AS bar) AS b
WHERE total > 0;
