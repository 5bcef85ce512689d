"""How requests behave beside each other, beside what a DBA does, and when their worker is killed."""

import bisect
import os
import pathlib
import signal
import statistics
import time

from common import REPS, SANDBOX, Holding, add_goal, postmaster, psql, start_server, wait_until

ROUNDS = 5
KILLED = 300
RATE, WINDOW_S, WINDOWS = 100, 1, 10
SESSIONS = 4


def measure_latency(fast, slow):
    """99 fast answers beside one of 5 s, all put in by one transaction."""
    holding, runs = Holding(), []
    holding.connect()
    cursor = holding.session.cursor()

    def answers():
        cursor.execute("SELECT count(*) FROM sync_answers")
        return cursor.fetchone()[0]

    for _ in range(ROUNDS):
        psql("TRUNCATE sync_answers")
        start = time.time()
        cursor.execute(f"SELECT sync_request('{slow(5000)}'); SELECT count(sync_request('{fast}')) FROM generate_series(1, 99)")
        while answers() < 99:
            time.sleep(0.002)
        runs.append(time.time() - start)
        while answers() < 100:
            holding.look()
            time.sleep(0.05)
    holding.close()
    print(f"\n99 fast answers beside one of 5 s, all visible after {statistics.median(runs):.3f} s (median of {ROUNDS};"
          f" the slowest {max(runs):.3f} s). {holding.told()}.", flush=True)
    add_goal("99 fast answers beside one of 5 s, visible after", "0.2 s", f"{statistics.median(runs):.3f} s", statistics.median(runs) < 0.2)
    add_goal("transactions or snapshots held while an answer is awaited", "0", holding.over_waits, holding.over_waits == 0)


def measure_rate(web, log):
    """Four tasks of one credential that together may make so many requests in a window, wherever it begins."""
    pages = RATE * WINDOWS // SESSIONS + 1
    psql(f"""INSERT INTO sync_providers (provider_name, base_url, limits)
            VALUES ('rated', '{web}', '{{"requests": {RATE}, "window_ms": {WINDOW_S * 1000}}}');
        INSERT INTO sync_endpoints (endpoint_name, provider_name, path, query, page, records, columns, key) VALUES
            ('rated', 'rated', '/rows', '{{"last": "{pages}"}}', '{{"kind": "page", "param": "page", "size": 1, "total": "$.total"}}',
             '{{"paths": "$.data[*]"}}', '{{"id": "$.id"}}', '{{id}}')""")
    for n in range(SESSIONS):
        psql(f"CREATE TABLE rated{n} (id int PRIMARY KEY); SELECT sync_create_stream('rated{n}', 'rated{n}', endpoint => 'rated')")
    psql("SELECT sync_enqueue('fetch', jsonb_build_object('stream', 'rated' || n), provider_name => 'rated')"
         f" FROM generate_series(0, {SESSIONS - 1}) AS n")
    wait_until("count(*) = 0 FROM sync_queue")
    times = sorted(map(float, pathlib.Path(log).read_text().split()))
    most = max(bisect.bisect_left(times, at + WINDOW_S) - n for n, at in enumerate(times))
    used = WINDOWS * WINDOW_S / (times[RATE * WINDOWS] - times[0])
    print(f"\n{len(times)} requests of {SESSIONS} tasks, {RATE} allowed in {WINDOW_S} s: at most {most} in any window by the log of nginx,"
          f" {used:.2%} of what is allowed used.", flush=True)
    add_goal("requests in any window of a rate limit, of what is allowed", "100 % at most", f"{most / RATE:.0%}", most <= RATE)
    add_goal("of a rate limit used while there is backlog", "99 %", f"{used:.2%}", used >= 0.99)


def measure_kill(slow):
    """Requests of which two hundred are under way when a worker is killed."""
    psql("UPDATE sync_operation_types SET backoff_base = '0' WHERE operation_type = 'request'")
    put_in = answered = 0
    for _ in range(REPS):
        psql("TRUNCATE sync_answers")
        put_in += int(psql(f"SELECT count(sync_request('{slow(1000)}')) FROM generate_series(1, {KILLED})"))
        wait_until("sum(in_flight) >= 200 FROM sync_stat_workers")
        os.kill(int(psql("SELECT min(pid) FROM sync_stat_workers")), signal.SIGKILL)
        wait_until("count(*) = 0 FROM sync_queue")
        answered += int(psql("SELECT count(DISTINCT queue_id) FROM sync_answers WHERE status = 200"))
    print(f"\nA worker killed by kill -9 with 200 requests under way, {REPS} times: {put_in} put in, {answered} answered.", flush=True)
    add_goal("requests lost by kill -9 of a worker", "0", put_in - answered, put_in == answered)


def drop_database():
    psql("DROP DATABASE other")


def drop_extension():
    psql("DROP EXTENSION sync_ext CASCADE")


def terminate_worker():
    pid = psql("SELECT pid FROM sync_stat_workers ORDER BY in_flight DESC LIMIT 1")
    psql(f"SELECT pg_terminate_backend({pid})")
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.001)


def shut_down():
    os.kill(postmaster(), signal.SIGINT)
    while (SANDBOX / "data/postmaster.pid").exists():
        time.sleep(0.001)


def time_beside(what, request):
    """How long something takes, with a request under way or with none."""
    psql("CREATE DATABASE other")
    psql("CHECKPOINT")
    wait_until("count(*) = 2 FROM sync_stat_workers")
    if request:
        psql(f"SELECT sync_request('{request}')")
        wait_until("sum(in_flight) = 1 FROM sync_stat_workers")
    start = time.time()
    what()
    seconds = time.time() - start
    if what == shut_down:
        start_server()
    psql("CREATE EXTENSION IF NOT EXISTS sync_ext")
    psql("DROP DATABASE IF EXISTS other")
    psql("SELECT count(sync_cancel(queue_id)) FROM sync_queue")
    wait_until("count(*) = 0 FROM sync_queue")
    return seconds


def measure_delays(slow):
    """What a DBA does beside a request of 8 s, and beside none; the extension is new afterwards."""
    print(f"\n| seconds, median of {REPS} | beside none | beside an answer of 8 s | the longest |\n| --- | --: | --: | --: |")
    for name, what in (("DROP DATABASE of another database", drop_database), ("DROP EXTENSION", drop_extension),
                       ("pg_terminate_backend of the worker", terminate_worker), ("fast shutdown", shut_down)):
        pairs = [(time_beside(what, None), time_beside(what, slow(8000))) for _ in range(REPS)]
        none, beside = (statistics.median(runs) for runs in zip(*pairs))
        print(f"| {name} | {none:.3f} | {beside:.3f} | {max(pair[1] for pair in pairs):.3f} |", flush=True)
        add_goal(f"{name} beside an answer of 8 s, later by", "0.5 s", f"{beside - none:.3f} s", beside - none < 0.5)
