#!/bin/bash
#
# upsert.sh: measure a stream from a second server beside hand-written SQL that does
# the same, on 1,000,000 rows of (uuid, name).
#
# Sets up what is missing, builds, and starts two servers in a sandbox.  Takes ten
# minutes and 2 GB, and wants the machine to itself.  It ends with a table in
# Markdown of the medians: seconds, megabytes of WAL, dead rows, and of the stream the
# memory of its backend.
#
#   REPS=5             how often each way is run
#   ROWS=1000000       rows of the source
#   ONLY=files         measure just the import of a file
#   PG_CONFIG, KEEP    as for check.sh

. "$(dirname "$0")/../run/sandbox.sh"

reps=${REPS-5} rows=${ROWS-1000000}
app_port=5431 warehouse_port=5432

"$RUN/setup.sh" server bench
say "building"
open_sandbox tmp_bench
build_extension
bindir=$("$PG_CONFIG" --bindir)
export PGHOST=$TMPDIR PGUSER=postgres PGDATABASE=postgres

app() { ordinary "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -p $app_port "$@"; }
warehouse() { ordinary "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -p $warehouse_port "$@"; }

say "starting two servers"
for port in $app_port $warehouse_port; do
	ordinary "$bindir/initdb" -D "$SANDBOX/data$port" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$LOGS/initdb.log"
	ordinary cp "$TREE/test/bench/upsert.conf" "$SANDBOX/data$port/postgresql.auto.conf"
	ordinary "$bindir/pg_ctl" -D "$SANDBOX/data$port" -l "$LOGS/server$port.log" -w start >/dev/null \
		-o "-p $port -c listen_addresses= -c unix_socket_directories=$TMPDIR"
done
app -v is_app=true -v rows="$rows" -f "$TREE/test/bench/upsert.sql"
warehouse -v is_app=false -v app_host="$TMPDIR" -v app_port=$app_port -f "$TREE/test/bench/upsert.sql" >/dev/null

#
# The ways
#

COPY_OUT='COPY (SELECT uuid, name FROM "User") TO STDOUT (FORMAT binary)'
STAGED='CREATE TEMP TABLE staged (athlete_uuid uuid, full_name text)'
COPY_IN='COPY staged FROM STDIN (FORMAT binary)'

floor_remote() { app -c "$COPY_OUT" >/dev/null; }

floor_local() { app -c "$COPY_OUT" >"$TMPDIR/rows" && time_from && warehouse -c 'COPY heap FROM STDIN (FORMAT binary)' <"$TMPDIR/rows"; }

copy_to_key() { app -c "$COPY_OUT" | warehouse -c 'COPY athlete_dim (athlete_uuid, full_name) FROM STDIN (FORMAT binary)'; }

stream() { warehouse -c "SELECT sync_run('athletes')" >/dev/null; }

on_conflict() {
	app -c "$COPY_OUT" | warehouse -c "$STAGED" -c "$COPY_IN" -c "
		INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM staged
		ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at
		WHERE athlete_dim.full_name IS DISTINCT FROM excluded.full_name"
}

classified() {
	app -c "$COPY_OUT" | warehouse -c "$STAGED" -c "$COPY_IN" -c 'ANALYZE staged' -c "
		CREATE TEMP TABLE delta AS SELECT s.*, d.athlete_uuid IS NULL AS is_new FROM staged s
		LEFT JOIN athlete_dim d USING (athlete_uuid) WHERE d.athlete_uuid IS NULL OR d.full_name IS DISTINCT FROM s.full_name" -c "
		UPDATE athlete_dim d SET full_name = s.full_name, source_synced_at = now() FROM delta s
		WHERE d.athlete_uuid = s.athlete_uuid AND NOT s.is_new" -c "
		INSERT INTO athlete_dim SELECT athlete_uuid, full_name, now() FROM delta WHERE is_new ORDER BY athlete_uuid"
}

fdw() {
	warehouse -c "
		INSERT INTO athlete_dim SELECT u.uuid, u.name, now() FROM app_user u LEFT JOIN athlete_dim d ON d.athlete_uuid = u.uuid
		WHERE d.athlete_uuid IS NULL OR d.full_name IS DISTINCT FROM u.name
		ON CONFLICT (athlete_uuid) DO UPDATE SET full_name = excluded.full_name, source_synced_at = excluded.source_synced_at"
}

#
# Measuring
#

time_from() { started=$(date +%s%N); }

dead_rows() { warehouse -c 'SELECT pg_stat_force_next_flush()' -c "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'athlete_dim'" | tail -1; }

# Run a way once; its seconds, WAL and dead rows are a line of its samples.
measure() {
	local way=$1 case=$2 wal ended
	warehouse -c 'CHECKPOINT'
	wal=$(warehouse -c 'SELECT pg_current_wal_insert_lsn()')
	time_from
	$way
	ended=$(date +%s%N)
	printf '%d.%03d %s %s\n' $(((ended - started) / 1000000000)) $(((ended - started) / 1000000 % 1000)) \
		"$(warehouse -c "SELECT round((pg_current_wal_insert_lsn() - '$wal') / 1e6, 2)")" "$(dead_rows)" >>"$SANDBOX/$way.$case"
	tail -n 1 "$SANDBOX/$way.$case" | sed "s/^/    /; s/\$/  $way, $case/" >&2
}

# The median of a field of a way's samples.
median() { cut -d' ' -f"$2" "$SANDBOX/$1" | sort -n | sed -n "$(((reps + 1) / 2))p"; }

# Make the target what it was before, without dead rows.
refresh() { warehouse -c 'VACUUM (ANALYZE) athlete_dim' -c 'SELECT pg_stat_force_next_flush()' >/dev/null; }

# The memory of one run's backend that is not shared, at its highest, in kB.
memory() {
	local pid peak=0 now
	warehouse -c "SELECT pg_backend_pid()" -c "SELECT sync_run('athletes')" >"$TMPDIR/memory" &
	until pid=$(head -n 1 "$TMPDIR/memory" 2>/dev/null) && [ -n "$pid" ]; do sleep 0.01; done
	while now=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
		[ "$now" -le $peak ] || peak=$now
	done
	wait
	echo "$peak"
}

if [ "${ONLY-}" = files ]; then
	. "$ROOT/test/bench/upsert_files.sh"
	exit
fi

say "measuring"
WAYS="stream classified on_conflict fdw"
for rep in $(seq "$reps"); do
	measure floor_remote floor
	warehouse -c 'TRUNCATE heap'
	measure floor_local floor
	warehouse -c 'TRUNCATE athlete_dim'
	measure copy_to_key first
	for way in $WAYS; do
		warehouse -c 'TRUNCATE athlete_dim'
		refresh
		measure "$way" first
		refresh
		measure "$way" nothing
		app -c "UPDATE \"User\" SET name = name || 'x' WHERE random() < 0.01" -c 'VACUUM (ANALYZE) "User"'
		refresh
		measure "$way" changed
	done
done

say "results: $rows rows, medians of $reps"
cat <<-END
	| way | first load: s, WAL MB | nothing changed: s, WAL MB, dead rows | 1 % changed: s, WAL MB, dead rows |
	|---|---|---|---|
END
for way in $WAYS; do
	printf '| %s | %s, %s | %s, %s, %s | %s, %s, %s |\n' "$way" \
		"$(median "$way.first" 1)" "$(median "$way.first" 2)" \
		"$(median "$way.nothing" 1)" "$(median "$way.nothing" 2)" "$(median "$way.nothing" 3)" \
		"$(median "$way.changed" 1)" "$(median "$way.changed" 2)" "$(median "$way.changed" 3)"
done
printf '\nThe floor: remote COPY to nowhere %s s, local COPY into an unlogged heap %s s; COPY straight into the indexed target %s s.\n' \
	"$(median floor_remote.floor 1)" "$(median floor_local.floor 1)" "$(median copy_to_key.first 1)"
printf 'Memory of a run with nothing to do: %d MB' $(($(memory) / 1024))
warehouse -c 'TRUNCATE athlete_dim'
printf '; of a first load: %d MB.\n' $(($(memory) / 1024))

. "$ROOT/test/bench/upsert_files.sh"
