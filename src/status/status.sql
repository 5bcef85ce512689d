-- Views of how things are going.

CREATE VIEW sync_stat_streams AS
SELECT s.stream_name, s.target, last.started_at AS last_run, last.status AS last_status,
	last.duration AS last_duration, last.rows_read, last.inserted, last.updated, last.deleted, last.rejected,
	success.started_at AS last_success, clock_timestamp() - success.started_at AS age,
	(SELECT count(*) FROM sync_history AS h
	 WHERE h.operation = 'stream' AND h.queue_id IS NULL AND h.subject = s.stream_name
	   AND h.status = 'failed' AND h.history_id > coalesce(success.history_id, 0)) AS failures,
	last.error_sqlstate AS last_sqlstate, last.error_message AS last_error
FROM sync_streams AS s
LEFT JOIN LATERAL (SELECT h.* FROM sync_history AS h
	WHERE h.operation = 'stream' AND h.queue_id IS NULL AND h.subject = s.stream_name
	ORDER BY h.history_id DESC LIMIT 1) AS last ON true
LEFT JOIN LATERAL (SELECT h.history_id, h.started_at FROM sync_history AS h
	WHERE h.operation = 'stream' AND h.queue_id IS NULL AND h.subject = s.stream_name AND h.status = 'success'
	ORDER BY h.history_id DESC LIMIT 1) AS success ON true;
REVOKE ALL ON TABLE sync_stat_streams FROM PUBLIC;
COMMENT ON VIEW sync_stat_streams IS
'How each stream is doing, from its runs in sync_history; made for \watch and for monitors. NULL: it has not run, as far as history goes back.';
COMMENT ON COLUMN sync_stat_streams.stream_name IS 'Name of the stream.';
COMMENT ON COLUMN sync_stat_streams.target IS 'Table that it fills.';
COMMENT ON COLUMN sync_stat_streams.last_run IS 'When its last run began.';
COMMENT ON COLUMN sync_stat_streams.last_status IS 'How that ended: success or failed.';
COMMENT ON COLUMN sync_stat_streams.last_duration IS 'How long it took.';
COMMENT ON COLUMN sync_stat_streams.rows_read IS 'Rows that it read.';
COMMENT ON COLUMN sync_stat_streams.inserted IS 'Rows that it added.';
COMMENT ON COLUMN sync_stat_streams.updated IS 'Rows that it changed.';
COMMENT ON COLUMN sync_stat_streams.deleted IS 'Rows that it deleted, or marked as deleted.';
COMMENT ON COLUMN sync_stat_streams.rejected IS 'Rows that it put aside, in sync_rejects.';
COMMENT ON COLUMN sync_stat_streams.last_success IS 'When its last run that succeeded began: the target is as the source was then.';
COMMENT ON COLUMN sync_stat_streams.age IS 'How long ago that was.';
COMMENT ON COLUMN sync_stat_streams.failures IS 'How many runs have failed since.';
COMMENT ON COLUMN sync_stat_streams.last_sqlstate IS 'SQLSTATE of the error of the last run, where that failed.';
COMMENT ON COLUMN sync_stat_streams.last_error IS 'Message of that error.';
