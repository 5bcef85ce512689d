#!/bin/sh
# cppcheck finds no fault
# (what PostgreSQL's macros mean to it is said in postgres.cfg)
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}" || exit 2
command -v cppcheck >/dev/null ||
	{ echo 'test/lint/cppcheck.sh:1: cppcheck is not installed'; exit 1; }

find sync_ext.c src -name '*.c' | sort |
	xargs cppcheck -q -j 2 --enable=warning,performance,portability \
		--inline-suppr --suppress=normalCheckLevelMaxBranches \
		--library="$here/postgres.cfg" -Isrc --error-exitcode=1 \
		--template='{file}:{line}: {message} ({id})' --template-location='' 2>&1
