#!/bin/bash
#
# http.sh: measure requests through the queue beside bare libcurl, both against a local
# nginx; many records of a provider into a table beside a client in Python; many partners
# of a slow provider; and how all of them behave: who waits for whom, what is held, lost
# and kept to; one after the other on one machine.
#
# Sets up what is missing (nginx, as a package; the one it starts is private), builds,
# and starts a server.  Takes some minutes, and wants the machine to itself.  It ends
# with a table of goals in Markdown.
#
#   REQUESTS=20000     how many
#   RECORDS=1000000    of the provider
#   REPS=3             how often, of which the median counts
#   PG_CONFIG, KEEP    as for check.sh

. "$(dirname "$0")/../run/sandbox.sh"

"$RUN/setup.sh" server
"$RUN/setup.sh" http
say "building"
open_sandbox tmp_bench
build_extension
bindir=$("$PG_CONFIG" --bindir)
export PGHOST=$TMPDIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGDATA=$SANDBOX/data
# shellcheck disable=SC2046 # curl-config gives several words
ordinary cc -O2 -o "$SANDBOX/http_ref" "$TREE/test/bench/http/ref.c" $(curl-config --libs)

say "making a cluster"
ordinary "$bindir/initdb" -D "$PGDATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
ordinary cp "$TREE/test/bench/http/server.conf" "$PGDATA/postgresql.auto.conf"

say "measuring"
ordinary env PATH="$bindir:/usr/sbin:$PATH" REQUESTS="${REQUESTS-20000}" REPS="${REPS-3}" RECORDS="${RECORDS-1000000}" \
	/usr/bin/python3 "$TREE/test/bench/http/bench.py" "$SANDBOX"
