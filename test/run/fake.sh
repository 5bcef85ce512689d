#!/bin/bash
#
# fake.sh: run the fake providers on loopback until Ctrl-C, and print the SQL that
# lets an extension ask them.  test/fake/fake.py says what switches they have.  They
# listen on FAKE_PORT (8000) and those that follow.

. "$(dirname "$0")/sandbox.sh"

"$RUN/setup.sh" fake

servers=()
trap 'kill "${servers[@]}" 2>/dev/null' EXIT
port=${FAKE_PORT:-8000}
cat <<-END
	-- Paste this into psql; keys and passwords of the fakes are in test/fake/.
	SET sync_ext.http_private_networks = '127.0.0.0/8';
END
for name in plain runsignup raceroster haku chronotrack copernico chesscom lichess; do
	url=http://127.0.0.1:$port
	switches=()
	[ $name = copernico ] && switches=(run=1)
	python3 -B "$ROOT/test/fake/fake.py" "$name" --port $port "${switches[@]}" < <(exec sleep infinity) >/dev/null &
	servers+=($!)
	[ $name = plain ] || cat <<-END
		UPDATE sync_providers SET base_url = regexp_replace(base_url, '^https?://[^/]+', '$url'),
			auth = regexp_replace(auth::text, 'https?://[^/"]+', '$url', 'g')::jsonb WHERE provider_name = '$name';
		UPDATE sync_endpoints SET path = regexp_replace(path, '^https?://[^/]+', '$url') WHERE provider_name = '$name';
	END
	port=$((port + 1))
done
echo '-- They run until Ctrl-C.'
wait
