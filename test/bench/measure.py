"""Measuring: connections, counters, samples and their medians.

Times are the client's; CPU is that of client and server together.
"""

import collections
import os
import statistics
import sys
import time

import psycopg2

Sample = collections.namedtuple("Sample", "seconds cpu wal written")

# the connection that is measured, and the one that prepares and checks
client = psycopg2.connect("")
admin = psycopg2.connect("")
admin.autocommit = True

samples = collections.defaultdict(list)


def ask(sql, *arguments):
	"""The first column of the first row."""
	with admin.cursor() as cursor:
		cursor.execute(sql, arguments or None)
		return cursor.fetchone()[0]


def do(*statements):
	with admin.cursor() as cursor:
		for statement in statements:
			cursor.execute(statement)


def stat(pid):
	"""/proc/PID/stat from its third field on."""
	with open(f"/proc/{pid}/stat") as file:
		return file.read().rpartition(")")[2].split()


def new_session():
	"""A connection that has done nothing but load the library; it commits each
	statement, as psql does."""
	connection = psycopg2.connect("")
	connection.autocommit = True
	with connection.cursor() as cursor:
		cursor.execute("LOAD 'sync_ext'")
	return connection


def cpu_seconds(connection):
	"""CPU time of this client, of its backend, and of workers that have ended."""
	pid = connection.info.backend_pid
	with open(f"/proc/{pid}/schedstat") as file:
		backend = int(file.read().split()[0]) / 1e9
	ended = sum(map(int, stat(stat(pid)[1])[13:15])) / os.sysconf("SC_CLK_TCK")
	return time.process_time() + backend + ended


def counters(connection):
	with connection.cursor() as cursor:
		cursor.execute("SELECT pg_stat_force_next_flush()")
	connection.commit()
	do("SELECT pg_stat_force_next_flush()")
	wal = ask("SELECT pg_current_wal_insert_lsn() - '0/0'")
	written = ask("""SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)
		FROM pg_stat_user_tables
		WHERE relname IN ('competition_progress', 'season_progress')""")
	return cpu_seconds(connection), int(wal), int(written)


def measure(way, work, check, connection=client):
	"""Take a sample of one way; it counts only if the check holds."""
	do("CHECKPOINT")
	before = counters(connection)
	start = time.perf_counter()
	result = work(connection)
	connection.commit()
	seconds = time.perf_counter() - start
	sample = Sample(seconds, *(b - a for a, b in zip(before, counters(connection))))
	assert check(result, sample), f"{way}: wrong result after {sample}"
	samples[way].append(sample)
	print(f"{seconds:9.3f} s  {way}", file=sys.stderr, flush=True)


def median(way, field="seconds"):
	return statistics.median(getattr(sample, field) for sample in samples[way])


def sql(statement):
	"""A way that runs SQL and gives its rows."""
	def work(connection):
		with connection.cursor() as cursor:
			cursor.execute(statement)
			return cursor.fetchall() if cursor.description else []
	return work
