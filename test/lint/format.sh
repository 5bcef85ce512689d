#!/bin/sh
# each .c and .h is as clang-format lays it out
# (`make format` does it; one finding a file, at its first place)
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}" || exit 2
tool=$(command -v clang-format-14 || command -v clang-format) ||
	{ echo 'test/lint/format.sh:1: clang-format is not installed'; exit 1; }

said=$(find sync_ext.c src -name '*.[ch]' | sort |
	xargs "$tool" --dry-run -Werror --style="file:$here/../../.clang-format" 2>&1) ||
	echo "$said" | awk -F: '
		/: error: / { if (!seen[$1]++) print $1 ":" $2 ": not as clang-format lays it out" }
		END { if (!length(seen)) print "test/lint/format.sh:1: " $0; exit 1 }'
