-- Match scores: the table, the stream that fills it from the leagues' files, and what
-- watches over it. Run it as a role that may read files of the server and create
-- tables, with the folder of the leagues as the server sees it:
--   psql -d tennis -v leagues=/srv/leagues -f setup.sql

CREATE EXTENSION IF NOT EXISTS sync_ext;

-- rows of old imports may have no id yet; all others have one, and each id comes once
CREATE TABLE match_scores (
  match_score_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenniscores_match_id text,
  league text NOT NULL,
  match_date date NOT NULL,
  home_team text NOT NULL,
  away_team text NOT NULL,
  players text[] NOT NULL,
  scores text,
  winner text,
  synced_at timestamptz,
  CONSTRAINT match_scores_tenniscores_match_id_key UNIQUE (tenniscores_match_id),
  CONSTRAINT match_scores_winner_check CHECK (winner IN ('home', 'away'))
);
CREATE TABLE match_teams (
  league text NOT NULL,
  team text NOT NULL,
  PRIMARY KEY (league, team)
);

-- the id of a match that comes without one: of all that does not change when its
-- score is corrected
CREATE FUNCTION match_id_of(match_id text, league text, match_date date, home_team text, away_team text, players text[]) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(trim(match_id), ''),
    'derived-' || md5(concat_ws('|', league, to_char(match_date, 'YYYY-MM-DD'), home_team, away_team, array_to_string(players, '|', '-'))))
$$;

-- dates as 2025-01-14 or 14-Jan-25
CREATE FUNCTION match_date_of(text) RETURNS date
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $1 ~ '^\d{4}-' THEN to_date($1, 'YYYY-MM-DD') ELSE to_date($1, 'DD-Mon-YY') END
$$;

CREATE FUNCTION match_players_of(record jsonb) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT ARRAY[record->>'Home Player 1', record->>'Home Player 2', record->>'Away Player 1', record->>'Away Player 2']
$$;

-- leagues/<LEAGUE>/match_history.json: the name of the folder is the league. The last of
-- several records with one id counts, the others are put aside; so are records that
-- cannot be read, as long as they are few. For a week an import can be taken back.
SELECT sync_create_stream('match scores',
  target => 'match_scores',
  key => '{tenniscores_match_id}',
  file => :'leagues' || '/*/match_history.json',
  columns => $$
    match_id_of(match_id, (regexp_match(file, '([^/]+)/[^/]+$'))[1], match_date_of("Date"),
      "Home Team", "Away Team", match_players_of(record)) AS tenniscores_match_id,
    (regexp_match(file, '([^/]+)/[^/]+$'))[1] AS league,
    match_date_of("Date") AS match_date,
    "Home Team" AS home_team,
    "Away Team" AS away_team,
    match_players_of(record) AS players,
    "Scores" AS scores,
    lower("Winner") AS winner
  $$,
  duplicates => 'reject',
  max_reject_share => 0.01,
  synced_at => 'synced_at',
  keep_undo => '7 days');

-- what must hold of the table when a run has written, or is worth a warning
SELECT sync_add_check('match scores', 'each match has an id', 'not_null', '{tenniscores_match_id}', severity => 'warning');
SELECT sync_add_check('match scores', 'no match comes twice', 'unique', '{league,match_date,home_team,away_team,players}', severity => 'warning');
SELECT sync_add_check('match scores', 'home team is known', 'foreign_key', '{league,home_team}',
  parent => 'match_teams', parent_columns => '{league,team}', severity => 'warning');
SELECT sync_add_check('match scores', 'away team is known', 'foreign_key', '{league,away_team}',
  parent => 'match_teams', parent_columns => '{league,team}', severity => 'warning');
