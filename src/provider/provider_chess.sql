-- chess.com and Lichess, as they come with the extension.

INSERT INTO sync_providers (provider_name, description, base_url, auth, credential_fields, limits, retry, outcomes, test_endpoint, shipped) VALUES
('chesscom',
 'chess.com, published data: one request at a time, each with a contact.',
 'https://api.chess.com/pub', '[]', '[]', '{"concurrency": 1}', '{}', '[{"status": [403, 404, 410], "outcome": "fail", "message": "$.message"}]', NULL, true),
('lichess',
 'Lichess: one request at a time; after 429 it wants to be left alone for a minute. A token makes the stream faster.',
 'https://lichess.org',
 '[{"optional": true, "headers": {"Authorization": "Bearer {credential.token}"}}]',
 '["token"]', '{"concurrency": 1}', '{"times": 2, "wait_ms": 2000}',
 '[{"status": 429, "outcome": "throttle", "message": "$.error", "wait_ms": 60000}, {"status": 404, "outcome": "fail", "message": "$.error"}]', NULL, true);

INSERT INTO sync_endpoints (endpoint_name, provider_name, description, path, params, query, headers, parent, page, records, columns, key, incremental, conditional, shipped) VALUES
('chesscom_archives', 'chesscom', 'The months in which a player played, as URLs.',
 '/player/{param.username|lower}/games/archives',
 '{"username": {"required": true}, "contact": {"required": true, "description": "An e-mail address or a URL, which chess.com wants to know."}}',
 '{}', '{"User-Agent": "sync_ext (contact: {param.contact})"}', NULL, '{"kind": "single"}',
 '{"paths": "$.archives[*]", "scalar": "url"}', '{"url": "$.url"}', '{url}', NULL, true, true),
('chesscom_games', 'chesscom', 'The games of a player, month by month; months before the one in "since" are passed over.',
 '{parent.url}',
 '{"username": {"required": true}, "contact": {"required": true}}',
 '{}', '{"User-Agent": "sync_ext (contact: {param.contact})"}',
 '{"endpoint": "chesscom_archives", "params": {"username": "{param.username}", "contact": "{param.contact}"}}', '{"kind": "single"}',
 '{"paths": "$.games[*]"}',
 '{"game_id": "$.uuid", "url": "$.url", "archive": {"value": "{parent.url}"}, "ended_at": {"path": "$.end_time", "convert": "epoch"}, "time_class": "$.time_class", "time_control": "$.time_control", "rules": "$.rules", "rated": "$.rated",
   "white": "$.white.username", "white_rating": "$.white.rating", "white_result": "$.white.result", "black": "$.black.username", "black_rating": "$.black.rating", "black_result": "$.black.result", "eco": "$.eco", "pgn": "$.pgn"}',
 '{game_id}', '{"mode": "partition", "value": "{parent.url}", "field": "archive", "scope": "parent"}', true, true),
('lichess_games', 'lichess', 'The games of a player, the oldest first. Games count by when they began, so that a look back is part of it.',
 '/api/games/user/{param.username}',
 '{"username": {"required": true}, "max": {"description": "No more games than that."}, "rated": {}, "perf_type": {}}',
 '{"sort": "dateAsc", "max": "{param.max}", "rated": "{param.rated}", "perfType": "{param.perf_type}", "opening": "true", "pgnInJson": "true"}', '{}', NULL, '{"kind": "single"}',
 '{"format": "ndjson"}',
 '{"game_id": "$.id", "created_at": {"path": "$.createdAt", "convert": "epoch_ms"}, "ended_at": {"path": "$.lastMoveAt", "convert": "epoch_ms"}, "speed": "$.speed", "variant": "$.variant", "rated": "$.rated", "status": "$.status",
   "white": "$.players.white.user.id", "white_rating": "$.players.white.rating", "black": "$.players.black.user.id", "black_rating": "$.players.black.rating", "winner": "$.winner", "opening": "$.opening.name", "eco": "$.opening.eco",
   "moves": "$.moves", "pgn": "$.pgn"}',
 '{game_id}', '{"param": "since", "field": "created_at", "format": "epoch_ms", "bound": "exclusive", "lookback_s": 1209600}', false, true);

UPDATE sync_endpoints SET timeout_ms = 3600000, idle_timeout_ms = 60000 WHERE provider_name = 'lichess';
