#!/bin/bash
#
# progress.sh: measure sync_progress beside a row-by-row client and hand-written SQL
# that do the same, on 1,000,000 rows of evidence.
#
# Sets up what is missing, builds, and starts a server in a sandbox.  Takes a quarter
# of an hour and 3 GB, and wants the machine to itself.  It ends with a table in
# Markdown of the medians, with the targets met and missed.
#
#   REPS=5                how often each way is run
#   COMPETITIONS=10000    each with 100 rows of evidence
#   CLIENTS=no            leave out the clients, which take most of the time
#   PG_CONFIG, KEEP       as for check.sh

. "$(dirname "$0")/../run/sandbox.sh"

"$RUN/setup.sh" server bench
say "building"
open_sandbox tmp_bench
build_extension
bindir=$("$PG_CONFIG" --bindir)

say "starting a server of its own"
ordinary "$bindir/initdb" -D "$SANDBOX/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
ordinary cp "$TREE/test/bench/postgresql.conf" "$SANDBOX/data/postgresql.auto.conf"
# glibc's memcmp by AVX-512 is slow at some addresses on some machines: whichever
# statement meets them takes half as long again, and another one after each change
ordinary env GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512VL,-AVX2 \
	"$bindir/pg_ctl" -D "$SANDBOX/data" -l "$LOGS/server.log" -w start >/dev/null \
	-o "-c listen_addresses= -c unix_socket_directories=$TMPDIR"
export PGHOST=$TMPDIR PGUSER=postgres PGDATABASE=postgres
ordinary "$bindir/psql" -Xq -v ON_ERROR_STOP=1 -v competitions="${COMPETITIONS-10000}" -f "$TREE/test/bench/progress.sql"

say "measuring"
ordinary /usr/bin/python3 "$TREE/test/bench/progress.py" ||
	die "that failed; the server's log is $LOGS/server.log"
ordinary "$bindir/pg_ctl" -D "$SANDBOX/data" -m fast -w stop >/dev/null
