"""The measurements of http.sh: bench.py SANDBOX, where the server runs already."""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

SANDBOX = pathlib.Path(sys.argv[1])
REQUESTS = int(os.environ["REQUESTS"])
REPS = int(os.environ["REPS"])
RECORDS = int(os.environ["RECORDS"])
PARTNERS, PAGES, LATENCY_MS = 200, 5, 100
HERE = pathlib.Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
  uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location = /json {{ return 200 '{{"id": 1, "name": "small", "tags": ["a", "b"], "ok": true}}'; }} }}
}}
"""


def psql(sql):
    return subprocess.run(["psql", "-XqAtc", sql], check=True, capture_output=True, text=True).stdout.strip()


def cpu(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def server_pids(backends):
    """The processes of the server, but for those of clients."""
    postmaster = (SANDBOX / "data/postmaster.pid").read_text().split()[0]
    found = subprocess.run(["pgrep", "-P", postmaster], capture_output=True, text=True).stdout.split()
    return [pid for pid in found if pid not in backends]


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
                return nginx, f"http://127.0.0.1:{port}/json"
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


def bare(url):
    out = subprocess.run([SANDBOX / "http_ref", url, str(REQUESTS), "100"], check=True, capture_output=True, text=True)
    seconds, used, failed = out.stdout.split()
    return float(seconds), float(used), int(failed), 0


def queue(url):
    """Put all in while it is paused, so that what is measured is performing alone."""
    psql("TRUNCATE sync_answers")
    psql("SELECT sync_pause(operation_type => 'request')")
    psql(f"SELECT count(sync_request('{url}')) FROM generate_series(1, {REQUESTS})")
    psql("CHECKPOINT")
    pids = server_pids([])
    before, start, held, samples = cpu(pids), time.time(), 0, 0
    psql("SELECT sync_resume(operation_type => 'request')")
    done = 0
    while done < REQUESTS and time.time() - start < 300:
        time.sleep(0.1)
        # how many transactions of workers are older than a wait could be
        done, old = psql("SELECT (SELECT count(*) FROM sync_history WHERE operation = 'request'"
                         f" AND status IN ('success', 'failed_permanent')) - {queue.before}, count(*)"
                         " FROM pg_stat_activity WHERE backend_type = 'sync worker' AND xact_start < clock_timestamp() - interval '500 ms'"
                         ).split("|")
        done, held, samples = int(done), held + int(old), samples + 1
    seconds = float(psql("SELECT extract(epoch FROM max(received_at) - min(received_at)) FROM sync_answers"))
    good = int(psql("SELECT count(*) FROM sync_answers WHERE status = 200"))
    queue.before += done
    return seconds, cpu(pids) - before, REQUESTS - good, held


queue.before = 0


def start_provider():
    provider = subprocess.Popen(["python3", "-B", HERE / "participants_server.py", "0", str(RECORDS)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return provider, "http://127.0.0.1:" + provider.stdout.readline().split()[-1]


def stream(url):
    """The stream into an empty table, in this session."""
    psql("TRUNCATE participants")
    psql("DELETE FROM sync_watermarks")
    start = time.time()
    used = psql("SELECT sync_run('participants', timing_partner_id => 7);"
                " SELECT pg_read_file('/proc/' || pg_backend_pid() || '/stat')").rsplit(")", 1)[1].split()
    return time.time() - start, (int(used[11]) + int(used[12])) / TICK


def by_hand(url):
    psql("TRUNCATE participants_by_hand")
    start, before = time.time(), os.times()
    subprocess.run(["/usr/bin/python3", HERE / "participants_client.py", url + "/race/501/participants", "participants_by_hand"], check=True)
    after = os.times()
    return time.time() - start, after.children_user + after.children_system - before.children_user - before.children_system


def participants():
    provider, url = start_provider()
    try:
        subprocess.run(["psql", "-Xq", "-v", f"url={url}", "-f", HERE / "participants.sql"], check=True, stdout=subprocess.DEVNULL)
        print(f"\n{RECORDS} participants in pages of 1,000 into an empty table with its key, median of {REPS}\n")
        print("| | seconds | CPU seconds of the client or backend |")
        print("| --- | --- | --- |")
        for name, run in (("a stream", stream), ("requests, json, COPY by hand", by_hand)):
            runs = [run(url) for _ in range(REPS)]
            print(f"| {name} | {statistics.median(r[0] for r in runs):.2f} | {statistics.median(r[1] for r in runs):.2f} |", flush=True)
        partners(url)
    finally:
        provider.stdin.close()
        provider.wait()


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
        start = time.time()
        psql("SELECT count(sync_enqueue('fetch', '{\"stream\": \"slow\"}', timing_partner_id => n, provider_name => 'slow'))"
             f" FROM generate_series(1, {PARTNERS}) AS n")
        while psql("SELECT count(*) FROM sync_queue") != "0":
            time.sleep(0.02)
        runs.append(time.time() - start)
    rows = psql("SELECT count(*) FROM slow_rows")
    expected = PAGES * LATENCY_MS / 1000
    print(f"\n{PARTNERS} partners, {PAGES} pages of {LATENCY_MS} ms each: {statistics.median(runs):.2f} s"
          f" ({statistics.median(runs) / expected:.1f} times the pages one after the other), {rows} rows")


def main():
    psql("CREATE EXTENSION sync_ext")
    while psql("SELECT count(*) FROM sync_stat_workers") == "0":
        time.sleep(0.1)
    nginx, url = start_web()
    try:
        print(f"\n{REQUESTS} GETs of 60 bytes, median of {REPS}; load average {os.getloadavg()[0]:.1f} at the start\n")
        print("| | requests/s | CPU ms a request | failed | long transactions seen |")
        print("| --- | --- | --- | --- | --- |")
        for name, run in (("bare libcurl, 100 at once", bare), ("sync_request(), durable, default settings", queue)):
            runs = [run(url) for _ in range(REPS)]
            seconds = statistics.median(r[0] for r in runs)
            used = statistics.median(r[1] for r in runs)
            print(f"| {name} | {REQUESTS / seconds:,.0f} | {used * 1000 / REQUESTS:.3f} |"
                  f" {sum(r[2] for r in runs)} | {sum(r[3] for r in runs)} |", flush=True)
        participants()
    finally:
        nginx.terminate()
        nginx.wait()


main()
