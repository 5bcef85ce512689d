#!/bin/bash
#
# queue.sh: measure the queue beside graphile-worker and pg-boss, a loop in PL/pgSQL, and
# PgQ where it is installed, one after the other on one server.
#
# Sets up what is missing (the rivals come from npm, into the sandbox), builds, and
# starts a server.  Takes fifteen minutes, and wants the machine to itself.  It ends
# with tables in Markdown.
#
#   TASKS=100000       tasks to be drained
#   REPS=3             how often, of which the median counts
#   ONLY="sync loop"   these only: sync, graphile, pgboss, loop, pgq
#   WHAT="drain"       these only: drain, single, latency, enqueue, pinned, idle, purge
#   PG_CONFIG, KEEP    as for check.sh

. "$(dirname "$0")/../run/sandbox.sh"

"$RUN/setup.sh" server queue
say "building"
open_sandbox tmp_bench
build_extension
bindir=$("$PG_CONFIG" --bindir)
export PGHOST=$TMPDIR PGPORT=5431 PGUSER=postgres PGDATABASE=postgres PGDATA=$SANDBOX/data

say "installing the rivals"
ordinary mkdir -p "$SANDBOX/npm"
ordinary cp "$TREE"/test/bench/queue/* "$SANDBOX/npm/"
(cd "$SANDBOX/npm" && ordinary env HOME="$SANDBOX/npm" npm install --no-audit --no-fund --loglevel=error >"$LOGS/npm.log" 2>&1)

say "starting a server"
ordinary "$bindir/initdb" -D "$PGDATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
ordinary cp "$TREE/test/bench/queue.conf" "$PGDATA/postgresql.auto.conf"
ordinary "$bindir/pg_ctl" -D "$PGDATA" -l "$LOGS/server.log" -w start >/dev/null \
	-o "-p $PGPORT -c listen_addresses= -c unix_socket_directories=$TMPDIR"

say "measuring"
cd "$SANDBOX/npm"
ordinary env TASKS="${TASKS-100000}" REPS="${REPS-3}" ONLY="${ONLY-}" WHAT="${WHAT-}" \
	"$SANDBOX/npm/node_modules/.bin/node" bench.mjs
