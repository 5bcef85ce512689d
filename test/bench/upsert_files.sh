# upsert_files.sh: measure a stream from a file of NDJSON beside Python that does the
# same.  Part of upsert.sh, whose servers, functions and settings it uses.

file=$TMPDIR/athletes.ndjson
app -c "COPY (SELECT json_build_object('uuid', uuid, 'name', name, 'email', email) FROM \"User\") TO STDOUT" >"$file"
chmod a+r "$file"
warehouse -c "SELECT sync_create_stream('file', 'athlete_dim', '{athlete_uuid}', file => '$file',
	columns => 'uuid AS athlete_uuid, name AS full_name', synced_at => 'source_synced_at')" >/dev/null

file_stream() { warehouse -c "SELECT sync_run('file')" >/dev/null; }

python_json() { PGPORT=$warehouse_port ordinary /usr/bin/python3 "$TREE/test/bench/upsert_json.py" "$file"; }

FILE_WAYS="file_stream python_json"
for rep in $(seq "$reps"); do
	for way in $FILE_WAYS; do
		warehouse -c 'TRUNCATE athlete_dim'
		refresh
		measure "$way" file_first
		refresh
		measure "$way" file_nothing
	done
done

say "from a file of NDJSON, $(($(stat -c %s "$file") / 1000000)) MB: $rows objects, medians of $reps"
cat <<-END
	| way | first load: s, WAL MB | nothing changed: s, WAL MB, dead rows |
	|---|---|---|
END
for way in $FILE_WAYS; do
	printf '| %s | %s, %s | %s, %s, %s |\n' "$way" \
		"$(median "$way.file_first" 1)" "$(median "$way.file_first" 2)" \
		"$(median "$way.file_nothing" 1)" "$(median "$way.file_nothing" 2)" "$(median "$way.file_nothing" 3)"
done
