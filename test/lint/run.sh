#!/bin/sh
# Run every check of this folder over the tree, and its cases over the check.
# Usage: test/lint/run.sh [check ...]
cd "$(dirname "$0")/../.." || exit 2
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT

# what a check proves stands in its second line
proves() { sed -n '2s/^# //p' "$1"; }

run() {
	case $1 in *.pl) perl "$1" . ;; *) sh "$1" . ;; esac >"$out/$2" 2>&1
	status=$?
	perl test/lint/selftest.pl "$1" >>"$out/$2" 2>&1 && [ $status = 0 ] && : >"$out/$2.ok"
}

checks=
for file in test/lint/*.pl test/lint/*.sh; do
	name=$(basename "${file%.*}")
	case $name in run | selftest) continue ;; esac
	[ $# -gt 0 ] && case " $* " in *" $name "*) ;; *) continue ;; esac
	checks="$checks $file"
	run "$file" "$name" &
done
wait

passed=0 failed=0
for file in $checks; do
	name=$(basename "${file%.*}")
	if [ -e "$out/$name.ok" ]; then
		passed=$((passed + 1))
		echo "ok - $name: $(proves "$file")"
	else
		failed=$((failed + 1))
		echo "not ok - $name: $(proves "$file")"
		sed 's/^/    /' "$out/$name"
	fi
done
for name; do
	[ -e "$out/$name" ] || { failed=$((failed + 1)); echo "not ok - $name: there is no such check"; }
done
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
