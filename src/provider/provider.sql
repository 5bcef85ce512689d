-- Providers: web APIs, as rows describe them, and who may ask them for what.

CREATE TABLE sync_providers (
	provider_name text NOT NULL,
	description text,
	base_url text NOT NULL,
	headers jsonb NOT NULL DEFAULT '{}',
	query jsonb NOT NULL DEFAULT '{}',
	auth jsonb NOT NULL DEFAULT '[]',
	credential_fields jsonb NOT NULL DEFAULT '[]',
	limits jsonb NOT NULL DEFAULT '{}',
	retry jsonb NOT NULL DEFAULT '{}',
	outcomes jsonb NOT NULL DEFAULT '[]',
	test_endpoint text,
	shipped boolean NOT NULL DEFAULT false,
	CONSTRAINT sync_providers_pkey PRIMARY KEY (provider_name),
	CONSTRAINT sync_providers_provider_name_check CHECK (provider_name ~ '^[a-z][a-z0-9_]{0,39}$')
);
REVOKE ALL ON TABLE sync_providers FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_providers', 'WHERE NOT shipped');

COMMENT ON TABLE sync_providers IS
'Web APIs, one a row. Templates in a definition decide where credentials are sent: let only those write here whom you trust so far.';
COMMENT ON COLUMN sync_providers.provider_name IS 'Name of the provider: small letters, digits and underscores.';
COMMENT ON COLUMN sync_providers.description IS 'What it is, and what of it is not confirmed.';
COMMENT ON COLUMN sync_providers.base_url IS 'What the paths of its endpoints follow: https://api.example.org/v1.';
COMMENT ON COLUMN sync_providers.headers IS 'Headers of every request, an object of templates.';
COMMENT ON COLUMN sync_providers.query IS 'Parameters of every request, an object of templates: {"format": "json"}.';
COMMENT ON COLUMN sync_providers.auth IS
'How requests say who asks: an array of schemes that all apply, each with any of query and headers (objects of templates), basic (user, password), token (a call that is made first; its values are then {token.NAME}) and optional (left out where the credential lacks a field).';
COMMENT ON COLUMN sync_providers.credential_fields IS 'Names of the fields that a credential may have, an array of texts.';
COMMENT ON COLUMN sync_providers.limits IS 'What the provider allows one credential: concurrency, interval_ms between requests, requests in window_ms.';
COMMENT ON COLUMN sync_providers.retry IS 'How often (times, 3) and after how long (wait_ms, 1000; times factor, 2, each; max_wait_ms, 60000) a request is tried again; header: the one that says how long to wait (Retry-After).';
COMMENT ON COLUMN sync_providers.outcomes IS
'Rules that decide about answers, the first that fits: {"when": jsonpath, "status": 404, "5xx" or an array, "body": exact text, "outcome": ok, retry, throttle, authenticate or fail, "message": jsonpath, "wait_ms": number}. Where none fits the status decides.';
COMMENT ON COLUMN sync_providers.test_endpoint IS 'The endpoint that sync_test_credential asks.';
COMMENT ON COLUMN sync_providers.shipped IS 'true: the row came with the extension and is not dumped. Any change to it makes it yours, and so does a row of the same name that you insert.';

CREATE TABLE sync_endpoints (
	endpoint_name text NOT NULL,
	provider_name text NOT NULL,
	description text,
	method text NOT NULL DEFAULT 'GET',
	path text NOT NULL,
	params jsonb NOT NULL DEFAULT '{}',
	query jsonb NOT NULL DEFAULT '{}',
	headers jsonb NOT NULL DEFAULT '{}',
	body jsonb,
	parent jsonb,
	each jsonb,
	page jsonb NOT NULL DEFAULT '{"kind": "single"}',
	records jsonb NOT NULL DEFAULT '{}',
	columns jsonb,
	key text[],
	incremental jsonb,
	feed jsonb,
	conditional boolean NOT NULL DEFAULT false,
	outcomes jsonb NOT NULL DEFAULT '[]',
	repeatable boolean NOT NULL DEFAULT false,
	timeout_ms integer,
	idle_timeout_ms integer,
	max_size bigint,
	shipped boolean NOT NULL DEFAULT false,
	CONSTRAINT sync_endpoints_pkey PRIMARY KEY (endpoint_name),
	CONSTRAINT sync_endpoints_provider_name_fkey FOREIGN KEY (provider_name)
		REFERENCES sync_providers DEFERRABLE INITIALLY DEFERRED,
	CONSTRAINT sync_endpoints_endpoint_name_check CHECK (endpoint_name ~ '^[a-z][a-z0-9_]{0,62}$'),
	CONSTRAINT sync_endpoints_method_check CHECK (method IN ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE')),
	CONSTRAINT sync_endpoints_timeout_ms_check CHECK (timeout_ms > 0),
	CONSTRAINT sync_endpoints_idle_timeout_ms_check CHECK (idle_timeout_ms > 0),
	CONSTRAINT sync_endpoints_max_size_check CHECK (max_size > 0)
);
CREATE INDEX sync_endpoints_provider_name_idx ON sync_endpoints (provider_name);
REVOKE ALL ON TABLE sync_endpoints FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_endpoints', 'WHERE NOT shipped');

COMMENT ON TABLE sync_endpoints IS
'What can be asked of providers, one a row. Templates are texts with {scope.name} in them: {param.x}, {credential.x}, {token.x}, {parent.x}, {item.x} (the row that is pushed, and {item.remote_id}), {tenant}, {since}, {each}, {idempotency_key}, {now}, with filters as {credential.password|sha1}. A parameter or header whose template has no value is left out.';
COMMENT ON COLUMN sync_endpoints.endpoint_name IS 'Name of the endpoint, as runsignup_races.';
COMMENT ON COLUMN sync_endpoints.provider_name IS 'The provider it belongs to.';
COMMENT ON COLUMN sync_endpoints.description IS 'What it gives, and what of it is not confirmed.';
COMMENT ON COLUMN sync_endpoints.method IS 'HTTP method.';
COMMENT ON COLUMN sync_endpoints.path IS 'Template of the path after the base URL, each value encoded as a segment; one that begins with another host: https://host/..; or one value that is a whole URL on the provider''s host: {parent.value}.';
COMMENT ON COLUMN sync_endpoints.params IS 'Parameters that callers give: {"race_id": {"required": true, "default": scalar, "description": text}}.';
COMMENT ON COLUMN sync_endpoints.query IS 'Parameters of the URL, an object of templates.';
COMMENT ON COLUMN sync_endpoints.headers IS 'Headers, an object of templates.';
COMMENT ON COLUMN sync_endpoints.body IS
'What is sent. Kinds json ("value": JSON whose texts are templates) and form ("fields") go with a fetch, or with one row at a time; records (an array), object, columns (names, and rows of values) and form_json (an array in "field" of a form) are rows that are pushed. envelope: where in an object the rows stand, beside the members of value; nulls: keep or omit; batch: rows a request, 100; settle_ms: rest after each. What the answer says of rows: items: its parts, a row each; in these, or in all of it, id, failed, duplicate, message; match: by position, or by key, which is the value of column by.';
COMMENT ON COLUMN sync_endpoints.parent IS
'Rows for each of which it is asked, as {parent.x}: {"endpoint": name, "params": templates} or {"sql": query}, in which $1 is the tenant and $2 the parameters (jsonb); collect: {"path": jsonpath, "size": n} joins the values of n of them, as {parent.collected}.';
COMMENT ON COLUMN sync_endpoints.each IS 'Constants for each of which it is asked, as {each}: ["", "SEX", "AGE"].';
COMMENT ON COLUMN sync_endpoints.page IS
'How pages follow each other. kind: single, page, offset (param, start, size_param, size, stop: short or empty, total, pages_header), keyset (param, path in a record, take: last or max), next_url (path), link (header Link), cursor (param, path); max_pages.';
COMMENT ON COLUMN sync_endpoints.records IS
'Where the records are. paths: jsonpaths of which the first that finds something counts; each, lift: elements that hold records, and what of them is added to each; scalar: name for a record that is no object; format: json, ndjson (a record a line) or columns (names, rows).';
COMMENT ON COLUMN sync_endpoints.columns IS
'The columns made of a record: {"bib": "$.bib_num", "paid": {"path": "$.amount", "convert": "number"}, "race_id": {"value": "{param.race_id}"}}. convert: text, boolean, number, epoch, epoch_ms, time (format, zone), duration, duration_ms, map (map, otherwise), json. NULL: the record as it is.';
COMMENT ON COLUMN sync_endpoints.key IS 'Columns that tell records apart.';
COMMENT ON COLUMN sync_endpoints.incremental IS
'How to read only what is new. mode server: "param" gets {since} in "format" (epoch, epoch_ms, iso, date, text), bound exclusive or inclusive, less lookback_s; client: reading stops at the first record whose "field" is older; partition: parents whose "value" sorts before {since} are passed over; snapshot: all is read, and what is gone is gone. tombstones: endpoint of what was removed.';
COMMENT ON COLUMN sync_endpoints.feed IS
'What sync_create_provider_tables() makes of it. Where records come from it: {"operation": event_discovery, participants or results, "parent": the endpoint whose table has what it is asked for, "params": {parameter: column there}, "linked": true where it is asked for the events that sync_link_events() names instead, "event": the parameter that tells events apart, "unified": {column of the unified view: expression over its own columns}, "where": which of its rows are in that view}. Where rows are pushed to it: {"operation": push_participants or publish_results, "query", "key" and "param_columns": as of sync_create_push(), with {schema} for where the tables are and {extension} for where sync_links is}.';
COMMENT ON COLUMN sync_endpoints.conditional IS 'true: the provider answers 304 where nothing changed since its ETag or Last-Modified.';
COMMENT ON COLUMN sync_endpoints.outcomes IS 'Rules about answers, before those of the provider.';
COMMENT ON COLUMN sync_endpoints.repeatable IS 'true: a request that is no GET may be sent again without harm.';
COMMENT ON COLUMN sync_endpoints.timeout_ms IS 'Limit of a request in all; NULL: sync_ext.http_timeout.';
COMMENT ON COLUMN sync_endpoints.idle_timeout_ms IS 'Limit of a silence; NULL: sync_ext.http_idle_timeout.';
COMMENT ON COLUMN sync_endpoints.max_size IS 'Limit of an answer in bytes; NULL: sync_ext.http_max_response_size.';
COMMENT ON COLUMN sync_endpoints.shipped IS 'As in sync_providers.';

CREATE FUNCTION sync_providers_check() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'sync_sql_providers_check';
REVOKE ALL ON FUNCTION sync_providers_check() FROM PUBLIC;
COMMENT ON FUNCTION sync_providers_check() IS
'Refuses a provider or an endpoint that cannot work, by name and value.';

CREATE TRIGGER sync_providers_check
	BEFORE INSERT OR UPDATE OR DELETE ON sync_providers
	FOR EACH ROW EXECUTE FUNCTION sync_providers_check();
CREATE TRIGGER sync_endpoints_check
	BEFORE INSERT OR UPDATE OR DELETE ON sync_endpoints
	FOR EACH ROW EXECUTE FUNCTION sync_providers_check();

CREATE VIEW sync_feeds AS
SELECT e.endpoint_name, e.provider_name, e.feed ->> 'operation' AS operation, e.description,
	e.feed ->> 'parent' AS parent, coalesce(e.feed -> 'params', '{}') AS params,
	coalesce((e.feed ->> 'linked')::boolean, false) AS linked, e.feed ->> 'event' AS event,
	e.columns, e.key, coalesce(e.incremental ->> 'mode' = 'snapshot', false) AS snapshot,
	e.feed -> 'unified' AS unified, coalesce(e.feed ->> 'where', 'true') AS condition,
	e.feed ->> 'query' AS push_query, e.feed -> 'key' AS push_key, coalesce(e.feed -> 'param_columns', '{}') AS param_columns
FROM sync_endpoints e WHERE e.feed IS NOT NULL;
REVOKE ALL ON TABLE sync_feeds FROM PUBLIC;
COMMENT ON VIEW sync_feeds IS 'Endpoints that sync_create_provider_tables() makes tables, streams and pushes for: column feed of sync_endpoints, spread out.';
COMMENT ON COLUMN sync_feeds.endpoint_name IS 'The endpoint, and the name of its table and of the stream that fills it.';
COMMENT ON COLUMN sync_feeds.provider_name IS 'Its provider.';
COMMENT ON COLUMN sync_feeds.operation IS 'The operation type that fetches it: event_discovery, participants or results; or pushes to it: push_participants or publish_results.';
COMMENT ON COLUMN sync_feeds.description IS 'What it gives.';
COMMENT ON COLUMN sync_feeds.parent IS 'The endpoint whose table has what it is asked for, a row at a time; NULL: it is asked once.';
COMMENT ON COLUMN sync_feeds.params IS 'Which columns of that table make which parameters.';
COMMENT ON COLUMN sync_feeds.linked IS 'true: it is asked for the events that sync_link_events() names.';
COMMENT ON COLUMN sync_feeds.event IS 'The parameter that tells events apart.';
COMMENT ON COLUMN sync_feeds.columns IS 'As in sync_endpoints.';
COMMENT ON COLUMN sync_feeds.key IS 'As in sync_endpoints.';
COMMENT ON COLUMN sync_feeds.snapshot IS 'true: it gives all that there is, and what it does not give is no more.';
COMMENT ON COLUMN sync_feeds.unified IS 'Columns of the unified view, and expressions over its own columns that make them.';
COMMENT ON COLUMN sync_feeds.condition IS 'Which of its rows are in the unified view.';
COMMENT ON COLUMN sync_feeds.push_query IS 'Query whose rows are pushed; NULL: records are fetched.';
COMMENT ON COLUMN sync_feeds.push_key IS 'Columns that tell these rows apart.';
COMMENT ON COLUMN sync_feeds.param_columns IS 'Parameters that come from columns of these rows.';

CREATE TABLE sync_credentials (
	timing_partner_id bigint NOT NULL,
	provider_name text NOT NULL,
	active boolean NOT NULL DEFAULT true,
	fields text[] NOT NULL,
	key_id text NOT NULL,
	sealed bytea NOT NULL,
	sealed_token bytea,
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT sync_credentials_pkey PRIMARY KEY (timing_partner_id, provider_name),
	CONSTRAINT sync_credentials_provider_name_fkey FOREIGN KEY (provider_name)
		REFERENCES sync_providers DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX sync_credentials_provider_name_idx ON sync_credentials (provider_name);
REVOKE ALL ON TABLE sync_credentials FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_credentials', '');

COMMENT ON TABLE sync_credentials IS
'What tenants are known by to providers, sealed with the key in sync_ext.credential_key_file. Without that file nobody can read it, and a dump of it is of use only together with the file.';
COMMENT ON COLUMN sync_credentials.timing_partner_id IS 'The tenant.';
COMMENT ON COLUMN sync_credentials.provider_name IS 'The provider.';
COMMENT ON COLUMN sync_credentials.active IS 'false: nothing is done with it.';
COMMENT ON COLUMN sync_credentials.fields IS 'Names of the fields that it has.';
COMMENT ON COLUMN sync_credentials.key_id IS 'Which key it is sealed with: the beginning of a hash of it.';
COMMENT ON COLUMN sync_credentials.sealed IS 'The fields, encrypted (AES-256-GCM).';
COMMENT ON COLUMN sync_credentials.sealed_token IS 'The token that the provider gave for it last, likewise; NULL: none.';
COMMENT ON COLUMN sync_credentials.changed_at IS 'When it was set last.';

CREATE FUNCTION sync_set_credential(timing_partner_id bigint, provider text,
	credential jsonb) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_set_credential';
REVOKE ALL ON FUNCTION sync_set_credential(bigint, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION sync_set_credential(bigint, text, jsonb) IS
'Store what a tenant is known by to a provider, encrypted: {"api_key": "...", "api_secret": "..."}. NULL removes it. Nobody can read it back.';

CREATE FUNCTION sync_test_credential(timing_partner_id bigint, provider text)
	RETURNS text
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_test_credential';
REVOKE ALL ON FUNCTION sync_test_credential(bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_test_credential(bigint, text) IS
'Ask the provider''s test endpoint with a tenant''s credential, and say how it went. Raises where the provider refuses it.';

CREATE FUNCTION sync_fetch(endpoint text, params jsonb DEFAULT '{}',
	max_rows integer DEFAULT 100, timing_partner_id bigint DEFAULT NULL,
	since text DEFAULT NULL) RETURNS SETOF jsonb
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_fetch';
REVOKE ALL ON FUNCTION sync_fetch(text, jsonb, integer, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION sync_fetch(text, jsonb, integer, bigint, text) IS
'Look at what an endpoint gives, without storing it: a record a row.
params: the parameters that the endpoint declares.
max_rows: stop after that many records; NULL: read all.
timing_partner_id: with the credential of that tenant; NULL: with none.
since: ask only for what is newer, where the endpoint is incremental.';

CREATE FUNCTION sync_stat_providers_rows(OUT provider_name text, OUT timing_partner_id bigint,
	OUT requests bigint, OUT succeeded bigint, OUT pages bigint, OUT rows_in bigint, OUT rows_out bigint,
	OUT bytes_in bigint, OUT bytes_out bigint, OUT retries bigint, OUT tokens bigint, OUT throttled bigint,
	OUT unanswered bigint, OUT unavailable bigint, OUT unauthorized bigint, OUT refused bigint, OUT unusable bigint,
	OUT held interval, OUT in_transfer interval, OUT window_limit integer, OUT window_left integer,
	OUT paused_until timestamptz, OUT last_request timestamptz, OUT last_success timestamptz,
	OUT last_error_at timestamptz, OUT last_sqlstate text, OUT last_error text, OUT last_detail text,
	OUT since timestamptz) RETURNS SETOF record
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_stat_providers';
REVOKE ALL ON FUNCTION sync_stat_providers_rows() FROM PUBLIC;
COMMENT ON FUNCTION sync_stat_providers_rows() IS
'What was asked of providers in this database, as sync_stat_providers shows it. No row where the library is not in shared_preload_libraries.';

CREATE VIEW sync_stat_providers AS
SELECT * FROM sync_stat_providers_rows() ORDER BY provider_name, timing_partner_id NULLS FIRST;
REVOKE ALL ON TABLE sync_stat_providers FROM PUBLIC;
COMMENT ON VIEW sync_stat_providers IS
'What was asked of each provider with the credential of each tenant, by fetches, pushes and tests of credentials, and what came of it: as it happens, also in transactions that are rolled back. Made for \watch and for monitors. It is counted in shared memory from the first request after a start of the server on (column since), for 4,096 tenants and providers, of which the one that was asked for longest ago gives way; empty where the library is not in shared_preload_libraries.';
COMMENT ON COLUMN sync_stat_providers.provider_name IS 'The provider.';
COMMENT ON COLUMN sync_stat_providers.timing_partner_id IS 'The tenant; NULL: it was asked without a credential.';
COMMENT ON COLUMN sync_stat_providers.requests IS 'Requests that were made: for pages, for rows that are pushed, for tokens, again, and to where a redirect led.';
COMMENT ON COLUMN sync_stat_providers.succeeded IS 'Requests whose answer was in order, those with what is unchanged (304) included.';
COMMENT ON COLUMN sync_stat_providers.pages IS 'Pages that came.';
COMMENT ON COLUMN sync_stat_providers.rows_in IS 'Records that were read from them, those of parents included.';
COMMENT ON COLUMN sync_stat_providers.rows_out IS 'Rows that were pushed and taken.';
COMMENT ON COLUMN sync_stat_providers.bytes_in IS 'Bytes of the bodies of answers, unpacked.';
COMMENT ON COLUMN sync_stat_providers.bytes_out IS 'Bytes of the bodies of requests.';
COMMENT ON COLUMN sync_stat_providers.retries IS 'Requests that were to be made again, within a fetch or a push; attempts at a task are counted in sync_history.';
COMMENT ON COLUMN sync_stat_providers.tokens IS 'Tokens that were given, for the first time or anew.';
COMMENT ON COLUMN sync_stat_providers.throttled IS 'Requests that were answered with 429, or whose outcome is throttle.';
COMMENT ON COLUMN sync_stat_providers.unanswered IS 'Requests to which no whole answer came: no connection, a timeout, a body that broke off.';
COMMENT ON COLUMN sync_stat_providers.unavailable IS 'Requests whose outcome is retry: 5xx and the like.';
COMMENT ON COLUMN sync_stat_providers.unauthorized IS 'Requests whose outcome is authenticate (401), and calls that renew a token and were refused.';
COMMENT ON COLUMN sync_stat_providers.refused IS 'Requests whose outcome is fail: other 4xx and the like.';
COMMENT ON COLUMN sync_stat_providers.unusable IS 'Requests whose answer could not be used: not JSON, too large, an address that may not be asked, no token.';
COMMENT ON COLUMN sync_stat_providers.held IS 'How long requests waited for the limits of the provider, and for its wish to be left alone, added up.';
COMMENT ON COLUMN sync_stat_providers.in_transfer IS 'How long requests were on their way, from connecting to the end of the answer, added up; what runs side by side counts side by side.';
COMMENT ON COLUMN sync_stat_providers.window_limit IS 'How many requests limits of the provider allow in a window; NULL: any number.';
COMMENT ON COLUMN sync_stat_providers.window_left IS 'How many of these could be made now.';
COMMENT ON COLUMN sync_stat_providers.paused_until IS 'Until when the provider wants to be left alone, with this credential; NULL: it does not.';
COMMENT ON COLUMN sync_stat_providers.last_request IS 'When the last request was made.';
COMMENT ON COLUMN sync_stat_providers.last_success IS 'When an answer that was in order came last; NULL: none.';
COMMENT ON COLUMN sync_stat_providers.last_error_at IS 'When a request ended with an error last, after all retries; NULL: none.';
COMMENT ON COLUMN sync_stat_providers.last_sqlstate IS 'SQLSTATE of that error.';
COMMENT ON COLUMN sync_stat_providers.last_error IS 'Its message, cut to 127 bytes.';
COMMENT ON COLUMN sync_stat_providers.last_detail IS 'Its detail, cut to 255 bytes.';
COMMENT ON COLUMN sync_stat_providers.since IS 'Since when all this is counted.';
