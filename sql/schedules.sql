-- when schedules are due, and what is said where there is no pg_cron
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA schedules;
SET search_path = schedules, public;

-- 2026-11-22 is a Sunday
CREATE TABLE due (n int GENERATED ALWAYS AS IDENTITY, schedule text, after timestamptz DEFAULT '2026-11-22 10:17:30');
INSERT INTO due (schedule) VALUES
	('* * * * *'), ('*/30 * * * *'), ('0 */4 * * *'), ('0 2 * * *'), ('17 10 * * *'), ('18 10 * * *'),
	('0,15,45-50 * * * *'), ('5-59/20 * * * *'), ('0 0 1 * *'), ('0 0 1 jan *'), ('0 0 * FEB-Apr *'),
	('0 12 * * mon'), ('0 12 * * Mon-Fri'), ('0 12 * * sun'), ('0 9 * * 0'), ('0 9 * * 7'), ('0 9 * * 5-7'),
	('0 0 13 * 5'), ('0 0 */2 * 5'), ('0 0 13 * */5'), ('0 0 31 * *'), ('0 0 29 2 *'), ('0 0 29 2 */7'),
	('0 0 $ * *'), ('0 0 $ 2 *'), ('0 0 $ * 1'), ('30 23 $ 12 *'),
	('@hourly'), ('@daily'), ('@midnight'), ('@weekly'), ('@monthly'), ('@yearly'), ('@annually'), ('@reboot'),
	('30 seconds'), ('1 second'), (' 59  SECONDS '), (E'\t0\t2 *\n* * '), ('00 02 * * *'), ('0 0 30 2 *');
SELECT schedule, sync_next_run(schedule, after) FROM due ORDER BY n;

-- exactly on time is the time after that; the turn of the year; years far away
SELECT sync_next_run('0 2 * * *', '2026-11-22 02:00'), sync_next_run('0 2 * * *', '2026-11-22 01:59:59.999'),
	sync_next_run('59 23 31 12 *', '2026-12-31 23:59:01'), sync_next_run('0 0 29 2 *', '2096-03-01'),
	sync_next_run('0 0 * * *', '1969-12-31 12:00'), sync_next_run('0 0 * * *', 'infinity'),
	sync_next_run(NULL, now()), sync_next_run('* * * * *') > now() AS by_default;

-- a schedule agrees with each minute taken by itself
SELECT count(*) FROM (VALUES ('*/7 1-5,22 * 11,12 *'), ('3 4 5,25 * 2'), ('0 0 $ * *')) AS s (schedule),
	generate_series('2026-11-29 12:00'::timestamptz, '2026-12-01 12:00', '1 minute') AS t
WHERE (sync_next_run(schedule, t - interval '1 minute') = t) <> CASE schedule
	WHEN '*/7 1-5,22 * 11,12 *' THEN extract(minute FROM t)::int % 7 = 0
		AND extract(hour FROM t) IN (1, 2, 3, 4, 5, 22) AND extract(month FROM t) IN (11, 12)
	WHEN '3 4 5,25 * 2' THEN extract(minute FROM t) = 3 AND extract(hour FROM t) = 4
		AND (extract(day FROM t) IN (5, 25) OR extract(dow FROM t) = 2)
	ELSE t::time = '00:00' AND extract(day FROM t + interval '1 day') = 1 END;

-- what is no schedule
SELECT complaint(format('SELECT sync_next_run(%L)', wrong)) FROM (VALUES
	(''), ('daily'), ('@fortnightly'), ('* * * *'), ('* * * * * *'), ('60 * * * *'), ('* 24 * * *'), ('* * 0 * *'),
	('* * 32 * *'), ('* * * 13 *'), ('* * * * 8'), ('5/10 * * * *'), ('*/0 * * * *'), ('*/60 * * * *'), ('10-5 * * * *'),
	('1,,2 * * * *'), ('1- * * * *'), ('-1 * * * *'), ('1.5 * * * *'), ('jan * * * *'), ('* * * mon *'), ('$ * * * *'),
	('0 seconds'), ('60 seconds'), ('99999999999 seconds'), ('30 secondss'), ('5 minutes'), ('* * * * *x'), ('é * * * *')) AS v (wrong);

-- without pg_cron
SELECT regexp_replace(complaint($$SELECT sync_schedule('nightly', '0 2 * * *', 'load')$$), 'postgresql-\d+', 'postgresql-N') AS complaint;
SELECT regexp_replace(complaint($$SELECT sync_unschedule('nightly')$$), 'postgresql-\d+', 'postgresql-N') AS complaint;
SELECT regexp_replace(complaint('SELECT sync_schedule_defaults()'), 'postgresql-\d+', 'postgresql-N') AS complaint;
SELECT regexp_replace(complaint('SELECT * FROM sync_schedules'), 'postgresql-\d+', 'postgresql-N') AS complaint;

-- what is wrong by itself is said first
SELECT complaint($$SELECT sync_schedule('nightly', '0 2 * *', 'load')$$);
SELECT complaint($$SELECT sync_schedule('nightly', '0 2 * * *')$$);
SELECT complaint($$SELECT sync_schedule('nightly', '0 2 * * *', 'load', command => 'SELECT 1')$$);
SELECT complaint($$SELECT sync_schedule('nightly', '0 2 * * *', priority => 1, command => 'SELECT 1')$$);
SELECT complaint($$SELECT sync_schedule(NULL, '0 2 * * *', 'load')$$);
SELECT complaint($$SELECT sync_schedule('nightly', NULL, 'load')$$);
SELECT complaint($$SELECT sync_schedule('', '0 2 * * *', 'load')$$);
SELECT complaint(format('SELECT sync_schedule(%L, %L, %L)', repeat('ü', 28), '0 2 * * *', 'load'));

\set QUIET
SET client_min_messages = warning;
DROP SCHEMA schedules CASCADE;
