#!/bin/bash
#
# demo.sh: show the extension at work.
#
# Sets up what is missing, builds, starts a throw-away server in a sandbox, and
# runs demo*.sql in psql as if somebody typed it.  Nothing is left running.

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

# Run a script in psql as if somebody typed it.
show() {
	type_out "$RUN/$1" | ordinary "$bindir/psql" -Xq -v ON_ERROR_STOP=1 demo ||
		die "the demo failed; the server's log is $LOGS/server.log"
}

# Run a statement, and print how far it is until it is done.
watch_run() {
	printf 'demo=# %s;\n' "$1"
	ordinary "$bindir/psql" -X -c "$1" demo >"$LOGS/run.log" 2>&1 &
	while kill -0 $! 2>/dev/null; do
		sleep 0.25
		ordinary "$bindir/psql" -XAtq demo <"$RUN/demo_watch.sql"
	done
	wait $! || die "the demo failed: $(cat "$LOGS/run.log")"
	cat "$LOGS/run.log"
}

# Print what a script says each time that it is something new, until that has a word in
# it; "problem" is that it never has.
watch() {
	local script=$1 word=$2 problem=$3 line= last= deadline=$((SECONDS + 150))
	while [[ $line != *"$word"* ]]; do
		[ $SECONDS -lt $deadline ] || die "$problem; the server's log is $LOGS/server.log"
		line=$(ordinary "$bindir/psql" -XAtq demo <"$RUN/$script")
		[ "$line" = "$last" ] || echo "$line"
		last=$line
		sleep 0.1
	done
}

# Start the fake providers, and leave the SQL that points the extension to them.
start_fakes() {
	export FAKE_PORT=$((20000 + RANDOM % 10000))
	"$RUN/fake.sh" >"$TMPDIR/fakes.sql" 2>"$LOGS/fakes.log" &
	fakes=$!
	trap 'status=$?; kill $fakes 2>/dev/null; (exit $status); close_sandbox' EXIT
	for ((port = FAKE_PORT; port < FAKE_PORT + 8; port++)); do
		until (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do
			kill -0 $fakes 2>/dev/null || die "the fake providers did not start: $(cat "$LOGS/fakes.log")"
			sleep 0.1
		done
	done
	grep -v '^SET' "$TMPDIR/fakes.sql" | ordinary "$bindir/psql" -Xq -v ON_ERROR_STOP=1 demo
}

"$RUN/setup.sh" server fake
with_cron=yes
"$RUN/setup.sh" cron || with_cron=
say "building"
open_sandbox tmp_demo
build_extension
bindir=$("$PG_CONFIG" --bindir)

say "starting a server of its own"
ordinary "$bindir/initdb" -D "$SANDBOX/data" -U postgres -A trust -N -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
ordinary cat >>"$SANDBOX/data/postgresql.conf" <<-END
	fsync = off
	listen_addresses = ''
	unix_socket_directories = '$TMPDIR'
	shared_preload_libraries = '${with_cron:+pg_cron, }sync_ext'
	sync_ext.databases = 'demo'
	sync_ext.workers = 1
	sync_ext.http_private_networks = '127.0.0.0/8'
	sync_ext.credential_key_file = '$SANDBOX/sync_ext.key'
	${with_cron:+cron.database_name = 'demo'}
	${with_cron:+cron.use_background_workers = on}
END
od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' | ordinary sh -c "umask 077; cat >'$SANDBOX/sync_ext.key'"
ordinary "$bindir/pg_ctl" -D "$SANDBOX/data" -l "$LOGS/server.log" -w start >/dev/null
export PGHOST=$TMPDIR PGUSER=postgres PGCLIENTENCODING=UTF8 PAGER=
ordinary "$bindir/createdb" demo

say "progress: what is done is said to be done"
show demo.sql

say "streams: half a million rows of another database"
show demo_streams.sql
watch_run "SELECT rows_read, inserted, updated, unchanged, bytes, duration FROM sync_run('athletes')"
show demo_again.sql

if [ "$with_cron" ]; then
	say "schedules: the same by the clock, through the queue"
	show demo_schedule.sql
	watch demo_clock.sql "history:" "the schedule did not fire"
	show demo_scheduled.sql
else
	say "schedules: left out, since pg_cron is not installed and could not be"
fi

say "race timing: two partners, five providers (fakes of them, on this machine)"
start_fakes
for step in pull participants push results publish; do
	show demo_race_$step.sql
	watch demo_race_watch.sql " 0 in the queue" "tasks are not done"
done
show demo_race_end.sql
ordinary "$bindir/pg_ctl" -D "$SANDBOX/data" -m fast -w stop >/dev/null
say "done: the server is stopped and removed"
