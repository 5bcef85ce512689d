-- How old streams may get.

CREATE TABLE sync_freshness (
	stream_name text NOT NULL,
	max_age interval NOT NULL,
	declared_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT sync_freshness_pkey PRIMARY KEY (stream_name),
	CONSTRAINT sync_freshness_stream_name_fkey FOREIGN KEY (stream_name)
		REFERENCES sync_streams ON UPDATE CASCADE ON DELETE CASCADE,
	CONSTRAINT sync_freshness_max_age_check CHECK (max_age > '0')
);
REVOKE ALL ON TABLE sync_freshness FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sync_freshness', '');

COMMENT ON TABLE sync_freshness IS 'How old streams may get, one a row; an alert freshness_missed tells of one that is older.';
COMMENT ON COLUMN sync_freshness.stream_name IS 'The stream.';
COMMENT ON COLUMN sync_freshness.max_age IS 'How long after its last run that succeeded began, or after declared_at where there is none.';
COMMENT ON COLUMN sync_freshness.declared_at IS 'When that was declared.';

CREATE FUNCTION sync_set_freshness(stream text, max_age interval) RETURNS void
	LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'sync_sql_set_freshness';
REVOKE ALL ON FUNCTION sync_set_freshness(text, interval) FROM PUBLIC;
COMMENT ON FUNCTION sync_set_freshness(text, interval) IS
'Declare how old a stream may get; NULL: any age. Once it has had no run that succeeded for so long, an alert is raised, one each time.';
