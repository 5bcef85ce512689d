"""Measure sync_progress beside other ways to the same end.

progress.sh runs this against the server that it has started and filled.  Each
way starts from the same state and has to end in the same, which is checked
before its time counts.
"""

import glob
import os
import platform
import random

from measure import ask, do, measure, median, new_session, samples, sql
import row_by_row

REPS = int(os.environ.get("REPS") or 5)
HERE = os.path.dirname(os.path.abspath(__file__))

#
# The measurements
#

LAST = ask("SELECT max(competition_id) FROM competitions")
TENTH = ask("SELECT competition_id FROM competitions ORDER BY 1"
	" OFFSET (SELECT count(*) / 10 - 1 FROM competitions) LIMIT 1")
MARKS = ask("SELECT count(*) * 11 FROM competitions")

CLIENTS = {
	"row by row, SQLAlchemy": row_by_row.mapped,
	"row by row, plain SQL": row_by_row.plain,
} if os.environ.get("CLIENTS") != "no" else {}
TENTH_OF_IT = ", a tenth of it"
AGAIN = "sync_progress, nothing to do"
TRACKED = "sync_progress, tracked, 10 competitions touched"
FULL = "sync_progress, the same with full => true"
NEW = ", new session"
EXECUTE = "SELECT sync_progress(dry_run => false)"
DRIFT = "SELECT count(*) FROM sync_progress_drift()"


def reset():
	do("CALL reset_progress()", "VACUUM ANALYZE competition_progress, season_progress")


def reconciled(last=LAST):
	"""Every row is as it has to be, and was written once."""
	def check(result, sample):
		marks = ask("SELECT count(*) * 11 FROM competitions WHERE competition_id <= %s", last)
		return sample.written == marks and still_right(last)
	return check


def still_right(last=LAST):
	return ask("SELECT count(*) FROM wrong WHERE competition_id <= %s", last) == 0


def nothing_written(result, sample):
	return sample.written == 0


def found(count):
	return lambda result, sample: sample.written == 0 and result == [(count,)]


def measure_first_runs(ways):
	"""Hand-written SQL and sync_progress, in an order that changes."""
	for way in random.sample(list(ways), len(ways)):
		reset()
		measure(way, sql(ways[way]), reconciled())


def measure_other_runs():
	reset()
	measure("dry run", sql("SELECT sync_progress()"), nothing_written)
	measure("drift, all rows", sql(DRIFT), found(MARKS))
	do(EXECUTE, "VACUUM ANALYZE competition_progress, season_progress")
	measure(AGAIN, sql(EXECUTE), lambda result, sample: nothing_written(result, sample) and still_right())
	measure("dry run, nothing to do", sql("SELECT sync_progress()"), nothing_written)
	measure("drift, nothing to do", sql(DRIFT), found(0))


TOUCH = """INSERT INTO teams
	SELECT (SELECT max(team_id) FROM teams) + row_number() OVER (), competition_id, year, 'New Club'
	FROM (SELECT competition_id, max(season_year) AS latest
			FROM teams GROUP BY 1 ORDER BY md5(competition_id) LIMIT 10) AS touched,
		unnest(ARRAY[latest, latest + 1]) AS year"""


def measure_tracked():
	"""Ten competitions get a team in a season that they have, and one in a new one."""
	reset()
	do("SELECT sync_track_progress(rule_name) FROM sync_progress_rules", EXECUTE)
	call = {TRACKED: EXECUTE, FULL: EXECUTE.replace(")", ', "full" => true)')}
	right = lambda result, sample: sample.written == 30 and still_right()
	for way in call:
		do("VACUUM ANALYZE", TOUCH)
		session = new_session()
		measure(way + NEW, sql(call[way]), right, session)
		# what that session has planned and cached serves it again
		do(TOUCH)
		measure(way, sql(call[way]), right, session)
		session.close()
	do("SELECT sync_untrack_progress(rule_name) FROM sync_progress_rules",
		"DELETE FROM teams WHERE team_name = 'New Club'", "VACUUM ANALYZE teams")


def track(*rules):
	return [f"SELECT sync_track_progress('{rule}')" for rule in rules]


def noted(*rules):
	"""Notes of these rules and no others, of each key or of everything."""
	keys = {"competition": MARKS // 11, "season": MARKS // 11 * 10}
	def check(result, sample):
		return ask("SELECT count(DISTINCT rule_name) FROM sync_progress_notes") == len(rules) and all(
			ask("SELECT count(DISTINCT key) = %s OR bool_or(key IS NULL)"
				" FROM sync_progress_notes WHERE rule_name = %s", keys[rule], rule) for rule in rules)
	return check


def noted_by_hand(result, sample):
	return (ask("SELECT count(*) FROM competition_notes") == MARKS // 11
		and ask("SELECT count(*) FROM season_notes") == MARKS // 11 * 10)


# what is done before, and what has to be so after
LOADS = {
	"bulk INSERT, no trigger": ([], noted()),
	"bulk INSERT, one rule tracked": (track("season"), noted("season")),
	"bulk INSERT, both rules tracked": (track("competition", "season"), noted("competition", "season")),
	"bulk INSERT, hand-written trigger": (
		["CREATE TRIGGER note AFTER INSERT ON teams REFERENCING NEW TABLE AS added"
			" FOR EACH STATEMENT EXECUTE FUNCTION note_teams()"], noted_by_hand),
}


def measure_loads():
	"""INSERT of all teams into the empty table."""
	for way in random.sample(list(LOADS), len(LOADS)):
		prepare, check = LOADS[way]
		do("TRUNCATE teams", *prepare, "TRUNCATE sync_progress_notes")
		measure(way, sql("INSERT INTO teams SELECT * FROM teams_copy"), check)
		do("CALL drop_triggers()", "TRUNCATE competition_notes, season_notes")


#
# The table
#

def compare(way, other, show="{:.2f} ×"):
	"""The ratio of two ways by the clock, and by CPU time, which is steadier."""
	clock, cpu = (show.format(median(way, field) / (median(other, field) or 0.01)) for field in ("seconds", "cpu"))
	return f"{clock} (CPU {cpu})"


def row(way, compared="", target=None, met=None):
	verdict = f"{target}: {'met' if met else 'missed'}" if target else ""
	once = " (run once)" if len(samples[way]) < REPS else ""
	print(f"| {way}{once}"
		f" | {median(way):.3f} | {median(way, 'cpu'):.3f} | {median(way, 'wal') / 1e6:.2f}"
		f" | {median(way, 'written'):,.0f} | {compared} | {verdict} |")


def print_table(pairs):
	# a pair is two statements, one a progress table; some ways take a step before them
	best = min((way for way, sql in pairs.items() if "TEMP" not in sql.upper()), key=median)
	ours = median("sync_progress")

	print("| way | s | CPU s | WAL MB | progress rows written | compared | target |")
	print("|---|--:|--:|--:|--:|---|---|")
	for way, target in zip(CLIENTS, ("at least 100 ×", None)):
		slower = median(way) / ours
		row(way + TENTH_OF_IT, compare(way + TENTH_OF_IT, "sync_progress") + " of sync_progress")
		row(way, compare(way, "sync_progress", "{:.0f} ×") + " of sync_progress", target, slower >= 100)
	for way in pairs:
		row(way, "best pair by hand" if way == best else compare(way, best) + " of the best pair by hand")
	ratio = ours / median(best)
	row("sync_progress", compare("sync_progress", best) + " of the best pair by hand", "at most 1.1 ×", ratio <= 1.1)
	row(AGAIN, compare(AGAIN, "sync_progress") + " of sync_progress", "no row, under 0.1 MB of WAL",
		all(sample.written == 0 and sample.wal < 1e5 for sample in samples[AGAIN]))
	for way in ("dry run", "dry run, nothing to do", "drift, all rows", "drift, nothing to do"):
		row(way, compare(way, "sync_progress") + " of sync_progress")
	# judged in sessions that have run before, against the full run above; a new one plans
	# all that it runs, and a full run that finds little to do is faster by itself
	for new, target in ((NEW, None), ("", "at least 100 times faster than the full run")):
		faster = ours / median(TRACKED + new)
		row(FULL + new, compare(FULL + new, "sync_progress") + " of sync_progress")
		row(TRACKED + new, f"{faster:.0f} times faster than sync_progress,"
			f" {median(FULL + new) / median(TRACKED + new):.0f} times faster than full => true, which finds as little to do",
			target, faster >= 100)
	plain = "bulk INSERT, no trigger"
	row(plain)
	for way in LOADS:
		if way == "bulk INSERT, both rules tracked":
			row(way, compare(way, plain) + " of no trigger", "at most 1.25 ×", median(way) <= 1.25 * median(plain))
		elif way != plain:
			row(way, compare(way, plain) + " of no trigger")


def print_conditions(load):
	with open("/proc/cpuinfo") as file:
		cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
	memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
	settings = ask("""SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
		FROM pg_settings WHERE name IN ('shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'autovacuum',
			'fsync', 'synchronous_commit', 'full_page_writes', 'work_mem', 'jit')""")
	print(f"Medians of {REPS} runs. PostgreSQL {ask('SHOW server_version')} on {os.cpu_count()} × {cpu},"
		f" {memory:.0f} GB, Linux {platform.release()}; load average {load:.1f} before, {os.getloadavg()[0]:.1f}"
		f" after. {ask('SELECT count(*) FROM teams'):,} rows of evidence,"
		f" {ask('SELECT pg_size_pretty(pg_table_size($$teams$$))')}; {settings}.")


def main():
	load = os.getloadavg()[0]
	pairs = {}
	for path in sorted(glob.glob(f"{HERE}/pairs/*.sql")):
		with open(path) as file:
			way = file.readline().lstrip("- ").strip()
			pairs[way] = file.read()

	random.seed(1)
	for _ in range(REPS):
		measure_first_runs({**pairs, "sync_progress": EXECUTE})
	for _ in range(REPS):
		measure_other_runs()
	for _ in range(REPS):
		measure_tracked()
	for way, client in CLIENTS.items():
		for _ in range(REPS):
			reset()
			measure(way + TENTH_OF_IT, client(TENTH), reconciled(TENTH))
		reset()
		measure(way, client(LAST), reconciled())
	for _ in range(REPS):
		measure_loads()

	print()
	print_table(pairs)
	print()
	print_conditions(load)


main()
