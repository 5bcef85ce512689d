#!/bin/bash
#
# demo.sh: show the extension at work.
#
# Sets up what is missing, builds, starts a throw-away server in a sandbox, and
# runs demo.sql in psql as if somebody typed it.  Nothing is left running.

. "$(dirname "$0")/sandbox.sh"

# Have psql print each line of a script behind a prompt before it runs it.
type_out() {
	awk -v quote="'" '
		{
			shown = $0
			gsub(/\\/, "\\\\&", shown)
			gsub(quote, quote quote, shown)
			prompt = $0 == "" || /^--/ ? "" : within ? "demo-# " : "demo=# "
			print "\\echo " quote prompt shown quote
			print
		}
		!/^--/ && NF { within = !/;[ \t]*$/ && !/^\\/ }' "$1"
}

"$RUN/setup.sh" server
say "building"
open_sandbox tmp_demo
build_extension
bindir=$("$PG_CONFIG" --bindir)

say "starting a server of its own"
ordinary "$bindir/initdb" -D "$SANDBOX/data" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
ordinary "$bindir/pg_ctl" -D "$SANDBOX/data" -l "$LOGS/server.log" -w start >/dev/null \
	-o "-c fsync=off -c listen_addresses= -c unix_socket_directories=$TMPDIR"
export PGHOST=$TMPDIR PGUSER=postgres PGCLIENTENCODING=UTF8 PAGER=
ordinary "$bindir/createdb" demo

say "psql"
type_out "$RUN/demo.sql" | ordinary "$bindir/psql" -X -v ON_ERROR_STOP=1 demo ||
	die "the demo failed; the server's log is $LOGS/server.log"
ordinary "$bindir/pg_ctl" -D "$SANDBOX/data" -m fast -w stop >/dev/null
say "done: the server is stopped and removed"
