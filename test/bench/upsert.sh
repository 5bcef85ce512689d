#!/bin/bash
#
# upsert.sh: measure a stream from a second server beside the ways that it replaces,
# on 1,000,000 rows of (uuid, name).
#
# Sets up what is missing, builds, and starts two servers in a sandbox.  Takes a
# quarter of an hour or more and 8 GB, and wants the machine to itself.  It ends with
# tables in Markdown of the medians, and each goal with how far it is met.
#
#   REPS=5             how often each way is run
#   ROWS=1000000       rows of the source
#   MILLIONS=10        and of the one for memory, in millions; 0: none
#   ONLY=stream,xmin   just these ways; file,json: the import of a file
#   PG_CONFIG, KEEP    as for check.sh

. "$(dirname "$0")/../run/sandbox.sh"

app_port=5431 warehouse_port=5432

"$RUN/setup.sh" server bench
say "building"
open_sandbox tmp_bench
build_extension
bindir=$("$PG_CONFIG" --bindir)

say "starting two servers"
for port in $app_port $warehouse_port; do
	ordinary "$bindir/initdb" -D "$SANDBOX/data$port" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
	ordinary cp "$TREE/test/bench/upsert.conf" "$SANDBOX/data$port/postgresql.auto.conf"
	ordinary "$bindir/pg_ctl" -D "$SANDBOX/data$port" -l "$LOGS/server$port.log" -w start >/dev/null \
		-o "-p $port -c listen_addresses= -c unix_socket_directories=$TMPDIR"
done
APP="host=$TMPDIR port=$app_port user=postgres dbname=postgres"
WAREHOUSE="host=$TMPDIR port=$warehouse_port user=postgres dbname=postgres"
prepare() { ordinary "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -f "$TREE/test/bench/upsert.sql" "$@" >/dev/null; }
prepare -d "$APP" -v is_app=true -v rows="${ROWS-1000000}"
prepare -d "$WAREHOUSE" -v is_app=false -v app_host="$TMPDIR" -v app_port=$app_port

say "measuring"
export APP WAREHOUSE PSQL="$bindir/psql"
ordinary /usr/bin/python3 "$TREE/test/bench/upsert.py" ||
	die "that failed; the servers' logs are $LOGS/server*.log"
for port in $app_port $warehouse_port; do
	ordinary "$bindir/pg_ctl" -D "$SANDBOX/data$port" -m fast -w stop >/dev/null
done
