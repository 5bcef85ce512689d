#!/bin/sh
# each .c compiles without a warning
# (-Wall -Wextra and the server's own flags, with the headers of $PG_CONFIG)
cd "${1:-.}" || exit 2
newest=$(ls /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -V | tail -1)
pg_config=${PG_CONFIG:-${newest:-pg_config}}
flags="$("$pg_config" --cflags) -Isrc
	-isystem $("$pg_config" --includedir-server) -isystem $("$pg_config" --includedir)
	-Wall -Wextra -Wshadow=local -Wno-unused-parameter -Wno-sign-compare -Werror -DSYNC_EXT_VERSION=\"\""

said=$(find sync_ext.c src -name '*.c' | sort |
	xargs -P 2 -I FILE ${CC:-gcc} -fsyntax-only -fno-diagnostics-show-caret $flags FILE 2>&1) ||
	echo "$said" | awk '
		sub(/:[0-9]+: (fatal )?error: /, ": ") { if (!seen[$0]++) print }
		END { if (!length(seen)) print "test/lint/warnings.sh:1: " $0; exit 1 }'
