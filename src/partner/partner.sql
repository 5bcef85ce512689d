-- Race-timing partners: what of their providers is kept, and when it is due.

CREATE FUNCTION sync_create_provider_tables(provider text, schema text DEFAULT NULL)
	RETURNS SETOF text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_create_provider_tables';
REVOKE ALL ON FUNCTION sync_create_provider_tables(text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_create_provider_tables(text, text) IS
'Make what a provider''s records are kept in: for each endpoint with a feed a table of its name, with timing_partner_id and fetched_date, and a stream that fills it, or, where rows are pushed to it, the push; and the views unified_events, unified_participants and unified_results over all such tables in the schema. Tables that are there already are given the columns that they lack. Returns the names of the tables that were made.
schema: NULL, the first of the search_path.
Errors: 42704 no such provider, 3F000 no such schema, 55000 nothing of it is kept, 42501 no right to make tables there.';

CREATE TABLE sync_links (
	timing_partner_id bigint NOT NULL,
	provider_name text NOT NULL,
	event_id text NOT NULL,
	scoring_provider text NOT NULL,
	scoring_event_id text NOT NULL,
	params jsonb NOT NULL DEFAULT '{}',
	scoring_params jsonb NOT NULL DEFAULT '{}',
	approved_at timestamptz,
	approved_by text,
	CONSTRAINT sync_links_pkey PRIMARY KEY (timing_partner_id, provider_name, event_id, scoring_provider, scoring_event_id),
	CONSTRAINT sync_links_params_check CHECK (jsonb_typeof(params) = 'object' AND jsonb_typeof(scoring_params) = 'object')
);
REVOKE ALL ON TABLE sync_links FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_links', '');

COMMENT ON TABLE sync_links IS
'Which event of a registration provider is which event of a scoring provider. Its participants are pushed there, its results come back from there.';
COMMENT ON COLUMN sync_links.timing_partner_id IS 'The tenant whose events they are.';
COMMENT ON COLUMN sync_links.provider_name IS 'The registration provider.';
COMMENT ON COLUMN sync_links.event_id IS 'The event there, as in unified_events.';
COMMENT ON COLUMN sync_links.scoring_provider IS 'The scoring provider.';
COMMENT ON COLUMN sync_links.scoring_event_id IS 'The event there.';
COMMENT ON COLUMN sync_links.params IS 'What endpoints of the registration provider are asked for besides the event: {"race_id": 7}.';
COMMENT ON COLUMN sync_links.scoring_params IS 'Likewise those of the scoring provider.';
COMMENT ON COLUMN sync_links.approved_at IS 'Results that were there then may be published; NULL: none may.';
COMMENT ON COLUMN sync_links.approved_by IS 'Who said so.';

CREATE FUNCTION sync_link_events(timing_partner_id bigint, provider text, event_id text,
	scoring_provider text, scoring_event_id text, params jsonb DEFAULT '{}',
	scoring_params jsonb DEFAULT '{}') RETURNS void
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_link_events';
REVOKE ALL ON FUNCTION sync_link_events(bigint, text, text, text, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_link_events(bigint, text, text, text, text, jsonb, jsonb) IS
'Say that an event of a registration provider is an event of a scoring provider; sync_links has the meaning of the arguments. Other parameters than before take back an approval. Errors: 42704 no such provider.';

CREATE FUNCTION sync_unlink_events(timing_partner_id bigint, provider text, event_id text,
	scoring_provider text, scoring_event_id text) RETURNS boolean
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_unlink_events';
REVOKE ALL ON FUNCTION sync_unlink_events(bigint, text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_unlink_events(bigint, text, text, text, text) IS
'Take back what sync_link_events said; what was fetched and pushed stays. True where it was said.';

CREATE FUNCTION sync_task_feed() RETURNS jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_task_feed';
REVOKE ALL ON FUNCTION sync_task_feed() FROM PUBLIC;
COMMENT ON FUNCTION sync_task_feed() IS
'Handler of operation types event_discovery, participants, results, push_participants and publish_results: puts a fetch into the queue for each feed of the task''s provider, and for each event that it is asked for (event_id of the task: only that one), or a push to it; a task without provider or timing partner becomes one for each active credential.';

CREATE FUNCTION sync_approve_results(timing_partner_id bigint, provider text, event_id text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_approve_results';
REVOKE ALL ON FUNCTION sync_approve_results(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_approve_results(bigint, text, text) IS
'Approve the results that there are of an event of a registration provider, those of the events linked to it, and put a task into the queue that publishes them there; returns its queue_id. What comes in later waits for the next approval. Errors: 42704 no such link.';

CREATE FUNCTION sync_schedule_partner(timing_partner_id bigint) RETURNS SETOF text
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_schedule_partner';
REVOKE ALL ON FUNCTION sync_schedule_partner(bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_schedule_partner(bigint) IS
'Schedule what is fetched for a timing partner with each of its active credentials: event discovery daily at 02:00, participants every four hours, and half an hour later those of linked events to the scoring provider, results every half hour. Schedules that are there are set back to that. Returns their names. Errors: 42704 it has no active credential, and those of sync_schedule.';

CREATE FUNCTION sync_unschedule_partner(timing_partner_id bigint) RETURNS integer
	LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'sync_sql_unschedule_partner';
REVOKE ALL ON FUNCTION sync_unschedule_partner(bigint) FROM PUBLIC;
COMMENT ON FUNCTION sync_unschedule_partner(bigint) IS
'Forget the schedules of a timing partner that the current role has. Returns how many there were. Errors as in sync_schedule.';

INSERT INTO sync_operation_types (operation_type, handler, limits_per, shipped) VALUES
('event_discovery', 'sync_task_feed()', 'tenant', true),
('participants', 'sync_task_feed()', 'tenant', true),
('results', 'sync_task_feed()', 'tenant', true),
('push_participants', 'sync_task_feed()', 'tenant', true),
('publish_results', 'sync_task_feed()', 'tenant', true);
