#!/bin/bash
#
# matrix.sh: run "make check" on the servers of other Debian releases: trixie has
# PostgreSQL 17, forky 18.  Needs root; takes minutes and 1.5 GB the first time.
# Lint is left out, as it judges the source by the tools of one release.
#
#   SUITES="trixie"       test on these only
#   MATRIX_DIR=/path      keep the chroots there instead of in tmp_matrix/

. "$(dirname "$0")/sandbox.sh"
. "$RUN/chroot.sh"

lock_chroots
failed=0 table=
for suite in ${SUITES-trixie forky}; do
	log=$CHROOTS/$suite.check.log version=none result="no chroot; see $CHROOTS/$suite.log"
	if prepare_chroot "$suite"; then
		say "make check on $suite (without lint)"
		in_chroot "$suite" make -C /build check LINT=no 2>&1 | tee "$log" || failed=1
		result=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" || echo "broke off; see $log")
		version=$(in_chroot "$suite" sh -c '/usr/lib/postgresql/*/bin/postgres --version' | sed 's/.*) \([^ ]*\).*/\1/')
	else
		failed=1
	fi
	table+=$(printf '%-10s %-12s %s' "$suite" "$version" "$result")$'\n'
done

say "results"
printf '%-10s %-12s %s\n%s' suite PostgreSQL result "$table"
exit $failed
