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
    finally:
        nginx.terminate()
        nginx.wait()


main()
