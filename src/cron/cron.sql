-- Schedules, on pg_cron.

CREATE FUNCTION sync_next_run(schedule text, after timestamptz DEFAULT now()) RETURNS timestamptz
	LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'sync_sql_next_run';
REVOKE ALL ON FUNCTION sync_next_run(text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION sync_next_run(text, timestamptz) IS
'The first time later than after at which a schedule is due, as pg_cron reads it: five fields (minute, hour, day of the month, month, weekday; lists, ranges, steps, names, $ for the last day of the month), "30 seconds", or @daily and the like. In the time zone of the setting cron.timezone, else GMT. NULL: never. Error: 22023 not a schedule.';

CREATE FUNCTION sync_schedule(name text, schedule text, operation_type text DEFAULT NULL,
	payload jsonb DEFAULT NULL, timing_partner_id bigint DEFAULT NULL,
	event_id bigint DEFAULT NULL, provider_name text DEFAULT NULL,
	sync_direction text DEFAULT NULL, priority integer DEFAULT NULL,
	command text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_schedule';
REVOKE ALL ON FUNCTION sync_schedule(text, text, text, jsonb, bigint, bigint, text, text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_schedule(text, text, text, jsonb, bigint, bigint, text, text, integer, text) IS
'Do something by the clock, as the current role: put a task into the queue, described by the arguments of sync_enqueue, or run a command. Takes the place of the schedule by that name. Where the task of the last time is still in the queue none is added. The schedule is one of pg_cron, which has to be there; sync_next_run tells what it means.
Errors: 22023 not a schedule, 55000 no pg_cron here, 42501 no right to use it, 0A000 this pg_cron is too old for it.';

CREATE FUNCTION sync_unschedule(name text) RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_unschedule';
REVOKE ALL ON FUNCTION sync_unschedule(text) FROM PUBLIC;
COMMENT ON FUNCTION sync_unschedule(text) IS
'Forget a schedule of the current role. Errors: 42704 no such schedule, and those of sync_schedule.';

CREATE FUNCTION sync_schedule_defaults() RETURNS SETOF text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_schedule_defaults';
REVOKE ALL ON FUNCTION sync_schedule_defaults() FROM PUBLIC;
COMMENT ON FUNCTION sync_schedule_defaults() IS
'Add the schedules that a site begins with, but for those that the current role has: event discovery and athletes daily at 02:00, participants every four hours, results every half hour (each puts a task of the operation type of its name into the queue), stuck clean-up every quarter of an hour, history retention daily at 03:30. Returns the names of those that were added. Errors as in sync_schedule.';

CREATE FUNCTION sync_schedules(OUT name text, OUT schedule text, OUT command text,
	OUT run_as text, OUT active boolean, OUT last_run timestamptz,
	OUT last_status text, OUT last_message text, OUT next_run timestamptz) RETURNS SETOF record
	LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'sync_sql_schedules';
REVOKE ALL ON FUNCTION sync_schedules() FROM PUBLIC;
COMMENT ON FUNCTION sync_schedules() IS
'The schedules of this database, as the view sync_schedules has them. Errors as in sync_schedule.';

CREATE VIEW sync_schedules AS SELECT * FROM sync_schedules();
REVOKE ALL ON TABLE sync_schedules FROM PUBLIC;
COMMENT ON VIEW sync_schedules IS
'The schedules of this database that the current role may see: its own, or all for a superuser.';
COMMENT ON COLUMN sync_schedules.name IS 'Name of the schedule.';
COMMENT ON COLUMN sync_schedules.schedule IS 'When it is due, as pg_cron reads it.';
COMMENT ON COLUMN sync_schedules.command IS 'What is run then.';
COMMENT ON COLUMN sync_schedules.run_as IS 'The role that it runs as.';
COMMENT ON COLUMN sync_schedules.active IS 'Whether it is run at all.';
COMMENT ON COLUMN sync_schedules.last_run IS 'When it was run last, as far as pg_cron still knows.';
COMMENT ON COLUMN sync_schedules.last_status IS 'How that went: starting, running, sending, connecting, succeeded or failed.';
COMMENT ON COLUMN sync_schedules.last_message IS 'What the server said then: the error of one that failed.';
COMMENT ON COLUMN sync_schedules.next_run IS 'When it is due next; NULL: it is not.';
