"""What the measurements of requests share: the server, what its processes take and hold, and the goals."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import psycopg2

SANDBOX = pathlib.Path(sys.argv[1])
REPS = int(os.environ["REPS"])
TICK = os.sysconf("SC_CLK_TCK")

goals = []


def start_server():
    """It has as few descriptors as usual."""
    subprocess.run(["bash", "-c", 'ulimit -n 1024; exec pg_ctl -w -l "$1" -o "$2" start', "bash", SANDBOX / "log/server.log",
                    f"-p {os.environ['PGPORT']} -c listen_addresses= -c unix_socket_directories={os.environ['PGHOST']}"],
                   check=True, stdout=subprocess.DEVNULL)


def postmaster():
    return int((SANDBOX / "data/postmaster.pid").read_text().split()[0])


def connect():
    """A session that commits each statement."""
    session = psycopg2.connect("")
    session.autocommit = True
    return session


def psql(sql):
    return subprocess.run(["psql", "-XqAtc", sql], check=True, capture_output=True, text=True).stdout.strip()


def wait_until(condition):
    """Wait for a condition, and for a server that is starting."""
    for _ in range(3000):
        if subprocess.run(["psql", "-XqAtc", f"SELECT {condition}"], capture_output=True, text=True).stdout.strip() == "t":
            return
        time.sleep(0.02)
    raise SystemExit(f"it does not come true that {condition}")


def cpu(pids):
    """Seconds that processes have used."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class Memory(threading.Thread):
    """The most memory of its own that a process has meanwhile, in MB, seen every 10 ms."""

    def __init__(self, pid):
        super().__init__()
        self.status, self.most, self.ended = pathlib.Path(f"/proc/{pid}/status"), 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            self.most = max(self.most, int(re.search(r"RssAnon:\s+(\d+)", self.status.read_text())[1]) / 1024)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.join()


class Holding:
    """What workers hold, as pg_stat_activity has it at each look."""

    def __init__(self):
        self.looks = self.over_waits = self.oldest_ms = 0

    def connect(self):
        self.session = connect()

    def close(self):
        self.session.close()

    def look(self):
        with self.session.cursor() as cursor:
            cursor.execute("""SELECT count(*) FILTER (WHERE wait_event_type = 'Extension'),
                    coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)) * 1000, 0)
                FROM pg_stat_activity WHERE backend_type = 'sync worker' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)""")
            over_wait, oldest_ms = cursor.fetchone()
        self.looks += 1
        self.over_waits += over_wait
        self.oldest_ms = max(self.oldest_ms, float(oldest_ms))

    def told(self):
        return f"At {self.looks} looks at pg_stat_activity, workers held {self.over_waits} transactions or snapshots over a wait for an answer"


def add_goal(what, wanted, measured, met):
    goals.append(f"| {what} | {wanted} | {measured} | {'yes' if met else 'no'} |")


def show_goals():
    print("\n| goal | wanted | measured | met |\n| --- | --: | --: | --- |")
    print("\n".join(goals))
