-- several streams in one run
\pset format unaligned
\pset tuples_only
\set SHOW_CONTEXT never
CREATE SCHEMA groups;
SET search_path = groups, public;
CREATE TABLE src_league (id int, name text);
CREATE TABLE src_team (id int, league int, name text);
CREATE TABLE src_player (id int, team int, name text);
CREATE TABLE league (id int PRIMARY KEY, name text);
CREATE TABLE team (id int PRIMARY KEY, league int REFERENCES league, name text);
CREATE TABLE player (id int PRIMARY KEY, team int NOT NULL, name text) PARTITION BY RANGE (id);
CREATE TABLE player_1 PARTITION OF player FOR VALUES FROM (0) TO (100);
ALTER TABLE player ADD FOREIGN KEY (team) REFERENCES team;
SELECT sync_create_stream('player', 'player', '{id}', 'TABLE src_player', mode => 'mirror', max_delete_share => 1);
SELECT sync_create_stream('team', 'team', '{id}', 'TABLE src_team', mode => 'mirror', max_delete_share => 1);
SELECT sync_create_stream('league', 'league', '{id}', 'TABLE src_league', mode => 'mirror', max_delete_share => 1);
INSERT INTO src_league VALUES (1, 'A'), (2, 'B');
INSERT INTO src_team VALUES (11, 1, 'a'), (12, 1, 'b'), (21, 2, 'c');
INSERT INTO src_player VALUES (1, 11, 'Ann'), (2, 12, 'Bob'), (3, 21, 'Cid');
\set counts 'stream, rows_read, inserted, updated, unchanged, deleted, rejected'

-- parents first, whatever the order of the names
SELECT :counts FROM sync_run_group('{player,team,league}', dry_run => true);
SELECT :counts FROM sync_run_group('{player,team,league}');
SELECT :counts FROM sync_run_group('{player,league,team}');
SELECT operation, subject, status, inserted FROM sync_history WHERE subject IN ('league', 'team', 'player') ORDER BY history_id;

-- what refers to a row leaves before it, or refers to another one
DELETE FROM src_league WHERE id = 2;
DELETE FROM src_team WHERE id IN (12, 21);
UPDATE src_player SET team = 11 WHERE id = 2;
DELETE FROM src_player WHERE id = 3;
INSERT INTO src_league VALUES (3, 'C');
INSERT INTO src_team VALUES (31, 3, 'd');
UPDATE src_player SET team = 31 WHERE id = 1;
SELECT :counts FROM sync_run_group('{player,team,league}', true);
SELECT :counts FROM sync_run_group('{player,team,league}');
SELECT p.name, t.name, l.name FROM player AS p JOIN team AS t ON t.id = p.team JOIN league AS l ON l.id = t.league ORDER BY p.id;

-- where a row takes those that refer to it with it, none is taken that refers to another one by now
ALTER TABLE player DROP CONSTRAINT player_team_fkey;
ALTER TABLE player ADD FOREIGN KEY (team) REFERENCES team ON DELETE CASCADE;
UPDATE src_player SET team = 31;
DELETE FROM src_team WHERE id = 11;
SELECT :counts FROM sync_run_group('{player,team,league}');
SELECT * FROM player ORDER BY id;

-- all or nothing, and history says so of each
INSERT INTO src_league VALUES (4, 'D');
INSERT INTO src_player VALUES (5, 99, 'Eve');
SELECT :counts FROM sync_run_group('{player,team,league}');
SELECT count(*) FROM league WHERE id = 4;
SELECT subject, status, inserted, error_sqlstate, split_part(error_context, 'while running ', 2)
	FROM sync_history WHERE status = 'failed' AND subject IN ('league', 'team', 'player') ORDER BY subject;
-- a row that cannot be used is put aside as in a run of its own
UPDATE sync_streams SET max_rejects = 1 WHERE stream_name = 'player';
SELECT :counts FROM sync_run_group('{player,team,league}');
SELECT stream_name, raw FROM sync_rejects WHERE stream_name = 'player';

-- what is written meanwhile, by a trigger, is not seen by those that follow: all see one state
CREATE TABLE seen (id int PRIMARY KEY, n bigint);
SELECT sync_create_stream('counted', 'seen', '{id}', 'SELECT 1 AS id, count(*) AS n FROM league');
INSERT INTO src_league VALUES (5, 'E');
SELECT :counts FROM sync_run_group('{league,counted}');
SELECT n, (SELECT count(*) FROM league) FROM seen;

-- two streams into one table
CREATE TABLE both_ways (id int PRIMARY KEY, v text);
SELECT sync_create_stream('one', 'both_ways', '{id}', 'SELECT n AS id, ''one'' AS v FROM generate_series(1, 3) AS n');
SELECT sync_create_stream('two', 'both_ways', '{id}', 'SELECT n AS id, ''two'' AS v FROM generate_series(3, 5) AS n');
SELECT :counts FROM sync_run_group('{one,two}');
SELECT * FROM both_ways ORDER BY id;

-- watermarks move together
CREATE TABLE src_event (id int, at int);
CREATE TABLE event (id int PRIMARY KEY, at int);
CREATE TABLE event_xmin (id int PRIMARY KEY, at int);
INSERT INTO src_event VALUES (1, 1), (2, 2);
SELECT sync_create_stream('event', 'event', '{id}', 'TABLE src_event', watermark => 'at');
SELECT sync_create_stream('event xmin', 'event_xmin', '{id}', 'SELECT xmin, * FROM src_event', watermark => 'xmin');
SELECT :counts FROM sync_run_group('{event,event xmin}');
INSERT INTO src_event VALUES (3, 3);
SELECT :counts FROM sync_run_group('{event,event xmin}', true);
SELECT :counts FROM sync_run_group('{event,event xmin}');
SELECT :counts FROM sync_run_group('{event,event xmin}');
SELECT :counts FROM sync_run_group('{event,event xmin}', full_refresh => true);

-- tables that refer to each other in a circle
CREATE TABLE club (id int PRIMARY KEY, captain int);
CREATE TABLE member (id int PRIMARY KEY, club int REFERENCES club);
CREATE TABLE badge (id int PRIMARY KEY, member int REFERENCES member, parent int REFERENCES badge);
ALTER TABLE club ADD CONSTRAINT club_captain FOREIGN KEY (captain) REFERENCES member;
SELECT sync_create_stream('badge', 'badge', '{id}', 'SELECT n AS id, n AS member, 3 - n AS parent FROM generate_series(1, 2) AS n');
SELECT sync_create_stream('club', 'club', '{id}', 'SELECT 1 AS id, 2 AS captain');
SELECT sync_create_stream('member', 'member', '{id}', 'SELECT n AS id, 1 AS club FROM generate_series(1, 2) AS n');
SELECT :counts FROM sync_run_group('{badge,club,member}');
ALTER TABLE club ALTER CONSTRAINT club_captain DEFERRABLE;
SELECT :counts FROM sync_run_group('{badge,club,member}');
SELECT :counts FROM sync_run_group('{badge,club,member}');
-- and what is deferred is checked before the run ends
UPDATE sync_streams SET query = 'SELECT 1 AS id, 7 AS captain' WHERE stream_name = 'club';
BEGIN;
SELECT :counts FROM sync_run_group('{badge,club,member}');
ROLLBACK;

-- what is refused
SELECT :counts FROM sync_run_group('{}');
SELECT :counts FROM sync_run_group('{league,league}');
SELECT :counts FROM sync_run_group('{league,NULL}');
SELECT :counts FROM sync_run_group('{league,nothing}');
BEGIN READ ONLY;
SELECT :counts FROM sync_run_group('{league,team}', true);
SELECT :counts FROM sync_run_group('{league,team}');
ROLLBACK;
CREATE ROLE groups_nobody;
SET ROLE groups_nobody;
SELECT :counts FROM sync_run_group('{league}');
RESET ROLE;

DROP ROLE groups_nobody;
SELECT sync_drop_stream(stream_name) FROM sync_streams WHERE target ~ '^groups' \g /dev/null
DELETE FROM sync_rejects;
DELETE FROM sync_history;
SET client_min_messages = error;
DROP SCHEMA groups CASCADE;
