-- What a monitor asks.

-- how runs ended, the last first
SELECT started_at, outcome, rows_read, inserted, updated, unchanged, rejected, duration, error_message
  FROM sync_history WHERE operation = 'stream' AND subject = 'match scores' ORDER BY history_id DESC LIMIT 10;

-- what the last one put aside, and where that is
SELECT file_name, line_number, column_name, error_sqlstate, error_message, raw
  FROM sync_rejects
  WHERE history_id = (SELECT max(history_id) FROM sync_history WHERE operation = 'stream' AND subject = 'match scores')
  ORDER BY file_name, line_number;

-- how many matches have their id, and which come more than once
SELECT * FROM sync_coverage('match_scores', 'tenniscores_match_id');
SELECT key, count FROM sync_find_duplicates('match_scores', '{league,match_date,home_team,away_team,players}');

-- what the checks say of the table now
SELECT check_name, severity, passed, total, failing, message FROM sync_check('match scores');
