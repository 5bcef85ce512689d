"""Measure a stream from another server beside other ways to the same end.

upsert.sh runs this against the two servers that it has started and filled.  Each
way starts from the same state and has to end in the same, which is checked
before its time counts.

CPU is that of this client, of the programs that it starts and of both servers
with all their processes: on a busy machine it tells more than the time.
"""

import collections
import glob
import os
import platform
import random
import statistics
import subprocess
import sys
import threading
import time

import psycopg2

REPS = int(os.environ.get("REPS") or 5)
MILLIONS = int(os.environ.get("MILLIONS") or 10)
HERE = os.path.dirname(os.path.abspath(__file__))
PSQL = os.environ["PSQL"]
APP = os.environ["APP"]
WAREHOUSE = os.environ["WAREHOUSE"]
TMPDIR = os.environ.get("TMPDIR", "/tmp")
FILE = f"{TMPDIR}/athletes.ndjson"
ONLY = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else None

Sample = collections.namedtuple("Sample", "seconds cpu wal dead bytes")
samples = collections.defaultdict(list)


def connect(dsn):
	connection = psycopg2.connect(dsn)
	connection.autocommit = True
	return connection


app, warehouse = connect(APP), connect(WAREHOUSE)


def do(connection, *statements):
	with connection.cursor() as cursor:
		for statement in statements:
			cursor.execute(statement)
		return cursor.fetchall() if cursor.description else []


def ask(connection, statement):
	return do(connection, statement)[0][0]


#
# Processes
#

TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
	"""/proc/PID/stat from its third field on; None where it has ended."""
	try:
		with open(f"/proc/{pid}/stat") as file:
			return file.read().rpartition(")")[2].split()
	except OSError:
		return None


def family(pid):
	"""A process and its children, as (pid, stat)."""
	found = [(int(name), stat(name)) for name in os.listdir("/proc") if name.isdigit()]
	return [(child, fields) for child, fields in found
		if fields and (child == pid or int(fields[1]) == pid)]


def postmaster(connection):
	return int(stat(connection.info.backend_pid)[1])


POSTMASTERS = [postmaster(app), postmaster(warehouse)]


def cpu_seconds():
	"""Of both servers, their processes that have ended included, and of ours."""
	total = 0
	for pid in POSTMASTERS:
		for child, fields in family(pid):
			total += int(fields[11]) + int(fields[12])
			if child == pid:
				total += int(fields[13]) + int(fields[14])
	times = os.times()
	return total / TICKS + times.user + times.system + times.children_user + times.children_system


class Memory(threading.Thread):
	"""The most anonymous memory that a process has while this runs, in MB."""

	def __init__(self, pid):
		super().__init__(daemon=True)
		self.pid, self.peak, self.ended = pid, 0, threading.Event()
		self.start()

	def run(self):
		while not self.ended.wait(0.02):
			with open(f"/proc/{self.pid}/status") as file:
				for line in file:
					if line.startswith("RssAnon"):
						self.peak = max(self.peak, int(line.split()[1]) / 1024)

	def end(self):
		self.ended.set()
		self.join()
		return self.peak


#
# The ways
#

COPY_OUT = 'COPY (SELECT uuid, name FROM "User") TO STDOUT (FORMAT binary)'
STAGED = "CREATE TEMP TABLE staged (athlete_uuid uuid, full_name text)"
COPY_IN = "COPY staged FROM STDIN (FORMAT binary)"
read = {}


def psql(dsn, *commands):
	return [PSQL, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", dsn] + [part for command in commands for part in ("-c", command)]


def pipe(first, *commands):
	"""What the app sends goes into psql on the warehouse."""
	source = subprocess.Popen(psql(APP, first), stdout=subprocess.PIPE)
	subprocess.run(psql(WAREHOUSE, *commands), stdin=source.stdout, check=True, stdout=subprocess.DEVNULL)
	assert source.wait() == 0


def form(name):
	with open(f"{HERE}/forms/{name}.sql") as file:
		statements = file.read()
	return lambda: pipe(COPY_OUT, STAGED, COPY_IN, "ANALYZE staged", statements)


def pull():
	"""The server fetches for itself, by a program."""
	with open(f"{TMPDIR}/pull", "w") as file:
		file.write(f"#!/bin/sh\nexec {PSQL} -XqAt -d '{APP}' -c '{COPY_OUT}'\n")
	os.chmod(f"{TMPDIR}/pull", 0o755)
	with open(f"{HERE}/forms/classified.sql") as file:
		statements = file.read()
	connection = connect(WAREHOUSE)
	do(connection, STAGED, f"COPY staged FROM PROGRAM '{TMPDIR}/pull' (FORMAT binary)", "ANALYZE staged", statements)
	connection.close()


def foreign(name):
	return lambda: do(warehouse, f"""
		INSERT INTO athlete_dim SELECT u.uuid, u.name, now() FROM {name} u LEFT JOIN athlete_dim d ON d.athlete_uuid = u.uuid
		WHERE d.athlete_uuid IS NULL OR d.full_name IS DISTINCT FROM u.name
		ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at""")


def pandas():
	subprocess.run(["/usr/bin/python3", f"{HERE}/pandas_upsert.py", APP, WAREHOUSE], check=True, stdout=subprocess.DEVNULL)


def stream(name):
	def run():
		connection = connect(WAREHOUSE)
		read[name] = ask(connection, f"SELECT bytes FROM sync_run('{name}')")
		connection.close()
		return read[name]
	return run


def write_file():
	"""The rows of the app as a file of NDJSON."""
	with open(FILE, "w") as file:
		subprocess.run(psql(APP, """COPY (SELECT json_build_object('uuid', uuid, 'name', name, 'email', email)
			FROM "User") TO STDOUT"""), stdout=file, check=True)


def json():
	subprocess.run(["/usr/bin/python3", f"{HERE}/upsert_json.py", FILE, WAREHOUSE], check=True)


WAYS = {
	"pandas": pandas,
	"stream": stream("athletes"),
	"xmin": stream("athletes by xmin"),
	"pull": pull,
	"file": stream("file"),
	"json": json,
	"fdw@100": foreign("app_user_100"),
	"fdw@10000": foreign("app_user"),
}
FORMS = [os.path.basename(path)[:-4] for path in sorted(glob.glob(f"{HERE}/forms/*.sql"))]
WAYS |= {name: form(name) for name in FORMS}
if ONLY:
	WAYS = {way: WAYS[way] for way in ONLY}
CASES = ["first", "same", "changed"]
FILE_WAYS = ["file", "json"]


#
# Measuring
#

def measure(way, case, work):
	"""Take a sample of one way in one case; "work" may return how many bytes came."""
	do(warehouse, "CHECKPOINT")
	do(app, "CHECKPOINT")
	wal = ask(warehouse, "SELECT pg_current_wal_insert_lsn() - '0/0'")
	cpu, start = cpu_seconds(), time.perf_counter()
	moved = work()
	seconds = time.perf_counter() - start
	time.sleep(0.2)	# what has just ended is counted once it is buried
	cpu = cpu_seconds() - cpu
	wal = ask(warehouse, "SELECT pg_current_wal_insert_lsn() - '0/0'") - wal
	dead = ask(warehouse, "SELECT dead_tuple_count FROM pgstattuple('athlete_dim')")
	samples[way, case].append(Sample(seconds, cpu, float(wal) / 1e6, dead, (moved or 0) / 1e6))
	print(f"{seconds:9.3f} s {cpu:8.2f} CPU s {float(wal) / 1e6:8.2f} MB WAL {dead:8d} dead  {way}, {case}", file=sys.stderr, flush=True)


def median(way, case, field="seconds"):
	return statistics.median(getattr(sample, field) for sample in samples[way, case])


def refresh():
	do(warehouse, "VACUUM (ANALYZE) athlete_dim")


def change():
	"""Change one row in a hundred."""
	do(app, """UPDATE "User" SET name = name || '.' WHERE mod(hashtextextended(uuid::text, %d), 100) IN (7, -7)""" % random.randrange(10**9),
		'VACUUM (ANALYZE) "User"')


def check(way):
	wrong = ask(warehouse, """SELECT count(*) FROM athlete_dim d FULL JOIN app_user u ON u.uuid = d.athlete_uuid
		WHERE d.full_name IS DISTINCT FROM u.name""")
	assert wrong == 0, f"{way}: {wrong} rows are wrong"


def measure_way(way, work):
	do(warehouse, "TRUNCATE athlete_dim", "DELETE FROM sync_watermarks")
	if way in FILE_WAYS:
		write_file()
	measure(way, "first", work)
	refresh()
	if way == "xmin":
		measure(way, "quiet", work)
		do(app, "SELECT pg_current_xact_id()")	# as if another table had been written
	measure(way, "same", work)
	change()
	refresh()
	if way in FILE_WAYS:
		write_file()
	measure(way, "changed", work)
	check(way)


def measure_floor():
	with open(os.devnull, "w") as nowhere:
		measure("remote COPY to nowhere", "floor", lambda: subprocess.run(psql(APP, COPY_OUT), stdout=nowhere, check=True) and None)
	with open(f"{TMPDIR}/rows", "w") as file:
		subprocess.run(psql(APP, COPY_OUT), stdout=file, check=True)
	for way, table in ("local COPY, unlogged heap", "heap (athlete_uuid, full_name)"), ("local COPY, indexed target", "athlete_dim (athlete_uuid, full_name)"):
		do(warehouse, "TRUNCATE heap, athlete_dim")
		with open(f"{TMPDIR}/rows") as file:
			measure(way, "floor", lambda: subprocess.run(psql(WAREHOUSE, f"COPY {table} FROM STDIN (FORMAT binary)"), stdin=file, check=True) and None)
	do(warehouse, "TRUNCATE athlete_dim")
	measure("remote COPY piped into the indexed target", "floor",
		lambda: pipe(COPY_OUT, "COPY athlete_dim (athlete_uuid, full_name) FROM STDIN (FORMAT binary)"))


def measure_tablesync():
	"""The first copy of built-in logical replication, of the same columns."""
	do(warehouse, 'DROP TABLE IF EXISTS "User"', 'CREATE TABLE "User" (uuid uuid PRIMARY KEY, name text)')

	def copy():
		do(warehouse, f"CREATE SUBSCRIPTION bench CONNECTION '{APP}' PUBLICATION bench")
		while not ask(warehouse, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate IN ('s', 'r')"):
			time.sleep(0.01)
	measure("logical replication", "first", copy)
	do(warehouse, "DROP SUBSCRIPTION bench")


def measure_memory(name):
	"""The memory of a stream's backend, and its time."""
	connection = connect(WAREHOUSE)
	memory = Memory(connection.info.backend_pid)
	start = time.perf_counter()
	rows = ask(connection, f"SELECT rows_read FROM sync_run('{name}')")
	seconds = time.perf_counter() - start
	peak = memory.end()
	connection.close()
	time.sleep(0.2)
	return rows, seconds, peak


def measure_many():
	"""The memory and the time of ten times as many rows."""
	lines = []
	for stream_name, target in ("athletes", "athlete_dim"), ("many", "many_dim"):
		do(warehouse, f"TRUNCATE {target}")
		if stream_name == "many":
			do(app, "CREATE TABLE many (uuid uuid PRIMARY KEY, name text)",
				f"""INSERT INTO many SELECT gen_random_uuid(), 'Athlete ' || substr(md5(n::text), 1, 12)
					FROM generate_series(1, {MILLIONS * 1000000}) AS n""",
				"VACUUM (FREEZE, ANALYZE) many", "CHECKPOINT")
		for case in "first load", "nothing changed":
			cpu = cpu_seconds()
			rows, seconds, memory = measure_memory(stream_name)
			lines.append(f"| {rows:,} rows, {case} | {seconds:.1f} | {cpu_seconds() - cpu:.1f} | {memory:.0f} |")
			print(lines[-1], file=sys.stderr, flush=True)
			do(warehouse, f"VACUUM (ANALYZE) {target}", "CHECKPOINT")
	return lines


def report(lines):
	print(f"Medians of {REPS}; {platform.machine()}, {os.cpu_count()} cores, PostgreSQL"
		f" {ask(warehouse, 'SHOW server_version')}, {ask(app, 'SELECT count(*) FROM %s' % chr(34) + 'User' + chr(34)):,} rows.\n")
	print("| way | first load: s, CPU s, WAL MB | nothing changed: s, CPU s, WAL MB, dead | 1 % changed: s, CPU s, WAL MB, dead |")
	print("| --- | --- | --- | --- |")
	for way in WAYS:
		cells = []
		for case in CASES:
			cell = f"{median(way, case):.2f}, {median(way, case, 'cpu'):.2f}, {median(way, case, 'wal'):.1f}"
			cells.append(cell if case == "first" else f"{cell}, {median(way, case, 'dead'):.0f}")
		print(f"| {way} | {' | '.join(cells)} |")
	if samples["logical replication", "first"]:
		print(f"| logical replication | {median('logical replication', 'first'):.2f}, {median('logical replication', 'first', 'cpu'):.2f} | | |")
	print("\n| floor | s | CPU s |\n| --- | --- | --- |")
	for way, case in list(samples):
		if case == "floor":
			print(f"| {way} | {median(way, case):.2f} | {median(way, case, 'cpu'):.2f} |")
	for way in "stream", "xmin":
		if way in WAYS:
			print(f"\nMB from the app, {way}: " + ", ".join(f"{case} {median(way, case, 'bytes'):.2f}" for case in CASES), end="")
	if samples["xmin", "quiet"]:
		print(f"\nxmin, nothing written at all: {median('xmin', 'quiet'):.3f} s, {median('xmin', 'quiet', 'cpu'):.3f} CPU s; "
			f"nothing changed: {median('xmin', 'same'):.3f} s, {median('xmin', 'same', 'cpu'):.3f} CPU s", end="")
	if lines:
		print("\n\n| stream | s | CPU s | MB of its backend |\n| --- | --- | --- | --- |")
		print("\n".join(lines))


def show_goals():
	"""By how much each goal is met: more than is wanted is better."""
	forms = [way for way in WAYS if way in FORMS or way == "pull"]
	floor = ["remote COPY to nowhere", "local COPY, unlogged heap"]

	def best(case, field):
		return min((median(way, case, field) for way in forms), default=0)

	goals = []
	for case, times in ("first", 4.5), ("same", 8), ("changed", 8):
		goals.append((f"pandas, {case}: {times} times faster", times,
			lambda field, case=case: median("pandas", case, field) / median("stream", case, field)))
	for case in CASES:
		goals.append((f"the best by hand, {case}: faster", 1,
			lambda field, case=case: best(case, field) / median("stream", case, field)))
	goals.append(("nothing changed: at most 2.5 times the floor (1.5 to aim at)", 1 / 2.5,
		lambda field: sum(median(way, "floor", field) for way in floor) / median("stream", "same", field)))
	goals.append(("first load: no longer than COPY into the indexed target", 1,
		lambda field: median("local COPY, indexed target", "floor", field) / median("stream", "first", field)))
	goals.append(("xmin, nothing changed: at most a tenth of everything", 10,
		lambda field: median("stream", "same", field) / median("xmin", "same", field)))
	goals.append(("xmin, 1 % changed: at most a third of everything", 3,
		lambda field: median("stream", "changed", field) / median("xmin", "changed", field)))
	for case in CASES:
		goals.append((f"postgres_fdw, {case}: 2 times faster", 2,
			lambda field, case=case: median("fdw@10000", case, field) / median("stream", case, field)))
	goals.append(("logical replication, first: 1.5 times faster", 1.5,
		lambda field: median("logical replication", "first", field) / median("stream", "first", field)))
	for case in CASES:
		goals.append((f"a file by Python, {case}: 3 times faster", 3,
			lambda field, case=case: median("json", case, field) / median("file", case, field)))
	print("| goal | factor, s | factor, CPU s | wanted |\n| --- | --: | --: | --: |")
	for goal, wanted, factor in goals:
		try:
			print(f"| {goal} | {factor('seconds'):.2f} | {factor('cpu'):.2f} | {wanted:.1f} |")
		except statistics.StatisticsError:
			print(f"| {goal} | not measured | | {wanted:.1f} |")


if __name__ == "__main__":
	do(warehouse, f"""SELECT sync_create_stream('file', 'athlete_dim', '{{athlete_uuid}}', file => '{FILE}', format => 'ndjson',
		columns => 'uuid AS athlete_uuid, name AS full_name', synced_at => 'source_synced_at')""")
	for repetition in range(REPS):
		measure_floor()
		measure_tablesync()
		for way in random.sample(list(WAYS), len(WAYS)):
			measure_way(way, WAYS[way])
	report(measure_many() if MILLIONS > 0 else [])
	print("\n")
	show_goals()
