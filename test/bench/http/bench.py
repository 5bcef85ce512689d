"""The measurements of http.sh: bench.py SANDBOX, where the server runs already."""

import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import time

import manners
from common import REPS, SANDBOX, Holding, Memory, add_goal, connect, cpu, postmaster, psql, show_goals, start_server, wait_until

REQUESTS = int(os.environ["REQUESTS"])
RECORDS = int(os.environ["RECORDS"])
PARTNERS, PAGES, LATENCY_MS = 200, 5, 100
# of pg_net with its best settings, on a machine of this kind
PG_NET = 2037
HERE = pathlib.Path(__file__).parent
NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; log_format time $msec; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
  uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location = /json {{ return 200 '{{"id": 1, "name": "small", "tags": ["a", "b"], "ok": true}}'; }}
    location = /rows {{ access_log {dir}/rows.log time; return 200 '{{"total": $arg_last, "data": [{{"id": $arg_page}}]}}'; }} }}
}}
"""


def server_pids():
    """The processes of the server, where no client is there."""
    return subprocess.run(["pgrep", "-P", str(postmaster())], capture_output=True, text=True).stdout.split()


def start_web():
    web = SANDBOX / "web"
    web.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (web / "nginx.conf").write_text(NGINX.format(dir=web, port=port))
    nginx = subprocess.Popen(["nginx", "-p", web, "-c", web / "nginx.conf"], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return nginx, f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


def bare(url):
    out = subprocess.run([SANDBOX / "http_ref", url, str(REQUESTS), "100"], check=True, capture_output=True, text=True)
    seconds, used, failed = out.stdout.split()
    return float(seconds), float(used), int(failed)


def queue(url, holding):
    """Put all in while it is paused, so that what is measured is performing alone."""
    psql("TRUNCATE sync_answers")
    psql("SELECT sync_pause(operation_type => 'request')")
    psql(f"SELECT count(sync_request('{url}')) FROM generate_series(1, {REQUESTS})")
    psql("CHECKPOINT")
    pids = server_pids()
    before, start, done = cpu(pids), time.time(), 0
    holding.connect()
    psql("SELECT sync_resume(operation_type => 'request')")
    while done < REQUESTS and time.time() - start < 300:
        for _ in range(4):
            holding.look()
            time.sleep(0.025)
        done = int(psql("SELECT count(*) FROM sync_history WHERE operation = 'request'"
                        " AND status IN ('success', 'failed_permanent')")) - queue.before
    holding.close()
    seconds = float(psql("SELECT extract(epoch FROM max(received_at) - min(received_at)) FROM sync_answers"))
    good = int(psql("SELECT count(*) FROM sync_answers WHERE status = 200"))
    queue.before += done
    return seconds, cpu(pids) - before, REQUESTS - good


queue.before = 0


def start_provider(program, *args):
    provider = subprocess.Popen(["python3", "-B", HERE / program, "0", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return provider, "http://127.0.0.1:" + provider.stdout.readline().split()[-1]


def stream(url, name="participants"):
    """The stream into an empty table, in a session of its own."""
    psql("TRUNCATE participants")
    psql("DELETE FROM sync_watermarks")
    start = time.time()
    with contextlib.closing(connect()) as session, Memory(session.info.backend_pid) as memory:
        session.cursor().execute(f"SELECT sync_run('{name}', timing_partner_id => 7)")
        return time.time() - start, cpu([session.info.backend_pid]), memory


def by_hand(url):
    psql("TRUNCATE participants_by_hand")
    start, before = time.time(), os.times()
    subprocess.run(["/usr/bin/python3", HERE / "participants_client.py", url + "/race/501/participants", "participants_by_hand"], check=True)
    after = os.times()
    return time.time() - start, after.children_user + after.children_system - before.children_user - before.children_system


def participants(url):
    subprocess.run(["psql", "-Xq", "-v", f"url={url}", "-f", HERE / "participants.sql"], check=True, stdout=subprocess.DEVNULL)
    print(f"\n{RECORDS} participants in pages of 1,000 into an empty table with its key, median of {REPS}\n")
    print("| | seconds | CPU seconds of the client or backend |")
    print("| --- | --- | --- |")
    taken = {}
    for name, run in (("a stream", stream), ("requests, json, COPY by hand", by_hand)):
        runs = [run(url) for _ in range(REPS)]
        taken[run] = statistics.median(r[0] for r in runs)
        print(f"| {name} | {taken[run]:.2f} | {statistics.median(r[1] for r in runs):.2f} |", flush=True)
        if run == stream:
            most = max(r[2].most for r in runs)
    lines = stream(url, "participants_lines")
    print(f"\nThe same, {int(psql('SELECT count(*) FROM participants'))} records a line each in one answer: {lines[0]:.2f} s."
          f" The backend's own memory was {most:.0f} MB at most with pages, {lines[2].most:.0f} MB with lines.")
    add_goal("JSON to table, against Python", "3 times", f"{taken[by_hand] / taken[stream]:.1f} times", taken[by_hand] >= 3 * taken[stream])
    add_goal("memory of its backend: pages, lines", "200 MB", f"{most:.0f}, {lines[2].most:.0f} MB", max(most, lines[2].most) < 200)


def partners(url):
    """Fetches of many partners at once, from a provider that takes its time."""
    psql(f"""INSERT INTO sync_providers (provider_name, base_url) VALUES ('slow', '{url}');
        INSERT INTO sync_endpoints (endpoint_name, provider_name, path, query, page, records, columns, key) VALUES
        ('slow_rows', 'slow', '/slow', '{{"ms": "{LATENCY_MS}", "last": "{PAGES * 20 - 1}"}}',
         '{{"kind": "page", "param": "page", "size_param": "size", "size": 20}}',
         '{{"paths": "$.data[*]"}}', '{{"id": "$.id", "name": "$.name"}}', '{{id}}');
        CREATE TABLE slow_rows (timing_partner_id bigint, id int, name text, PRIMARY KEY (timing_partner_id, id));
        SELECT sync_create_stream('slow', 'slow_rows', endpoint => 'slow_rows', tenant_column => 'timing_partner_id')""")
    runs = []
    for _ in range(REPS):
        psql("TRUNCATE slow_rows")
        # a session of its own: to start a program for each look would take from what is measured
        with contextlib.closing(connect()) as session, session.cursor() as cursor:
            start = time.time()
            cursor.execute("SELECT count(sync_enqueue('fetch', '{\"stream\": \"slow\"}', timing_partner_id => n, provider_name => 'slow'))"
                           f" FROM generate_series(1, {PARTNERS}) AS n")
            while cursor.execute("SELECT EXISTS (SELECT FROM sync_queue)") or cursor.fetchone()[0]:
                time.sleep(0.01)
            runs.append(time.time() - start)
    rows = psql("SELECT count(*) FROM slow_rows")
    expected = PAGES * LATENCY_MS / 1000
    times = statistics.median(runs) / expected
    print(f"\n{PARTNERS} partners, {PAGES} pages of {LATENCY_MS} ms each: {statistics.median(runs):.2f} s"
          f" ({times:.1f} times the pages one after the other), {rows} rows", flush=True)
    add_goal(f"{PARTNERS} partners, against their pages one after the other", "1.3 times", f"{times:.2f} times", times <= 1.3)


def requests(url):
    print(f"\n{REQUESTS} GETs of 60 bytes, median of {REPS}; load average {os.getloadavg()[0]:.1f} at the start\n")
    print("| | requests/s | CPU ms a request | failed |")
    print("| --- | --- | --- | --- |")
    holding = Holding()
    for name, run in (("bare libcurl, 100 at once", bare), ("sync_request(), durable, default settings", lambda url: queue(url, holding))):
        runs = [run(url) for _ in range(REPS)]
        rate = REQUESTS / statistics.median(r[0] for r in runs)
        used = statistics.median(r[1] for r in runs) * 1000 / REQUESTS
        failed = sum(r[2] for r in runs)
        print(f"| {name} | {rate:,.0f} | {used:.3f} | {failed} |", flush=True)
    print(f"\n{holding.told()}; the oldest transaction seen was {holding.oldest_ms:.0f} ms old.")
    add_goal("GETs a second, against pg_net with its best settings", f"{2 * PG_NET:,}", f"{rate:,.0f}", rate >= 2 * PG_NET)
    add_goal("CPU of a GET", "0.12 ms", f"{used:.3f} ms", used <= 0.12)
    add_goal("GETs failed, with 1,024 descriptors", "0", failed, failed == 0)
    add_goal("transactions or snapshots of workers over a wait, meanwhile", "0", holding.over_waits, holding.over_waits == 0)


def main():
    start_server()
    psql("CREATE EXTENSION sync_ext")
    wait_until("count(*) = 2 FROM sync_stat_workers")
    nginx, web = start_web()
    provider, url = start_provider("participants_server.py", str(RECORDS))
    slow_provider, slow_url = start_provider("slow_server.py")

    def slow(ms):
        return f"{slow_url}/slow?ms={ms}&page=1&size=1&last=1"

    try:
        requests(web + "/json")
        manners.measure_latency(web + "/json", slow)
        participants(url)
        partners(slow_url)
        manners.measure_rate(web, SANDBOX / "web/rows.log")
        manners.measure_kill(slow)
        manners.measure_delays(slow)
        show_goals()
    finally:
        for server in provider, slow_provider:
            server.stdin.close()
            server.wait()
        nginx.terminate()
        nginx.wait()


main()
