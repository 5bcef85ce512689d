# tests.sh: functions that run the kinds of tests in an open sandbox and count what
# passed, failed and was skipped.

PASSED=0 FAILED=0 SKIPPED=0

# Run one kind of test, show what it prints, and count it.  The exit status has the
# last word: a failure that names no test counts as one.
run_kind() {
	local kind=$1 log=$LOGS/$1.log status=0 passed failed skipped
	shift
	say "$kind"
	"$@" </dev/null 2>&1 | tee "$log" || status=$?
	[ ! -e "$TREE/log/postmaster.log" ] || mv "$TREE/log/postmaster.log" "$LOGS/$kind.server.log"
	read -r passed failed skipped < <(count_results "$log")
	[ $status = 0 ] || [ "$failed" != 0 ] || failed=1
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
	[ $status = 0 ] || show_failure "$kind"
	return $status
}

# Print how many tests of a log passed, failed and were skipped.  They say so in
# three ways: TAP, pg_regress before version 16, and prove.
count_results() {
	awk '
		/^ok .*# [Ss][Kk][Ii][Pp]/      { skipped++; next }
		/^ok /                          { passed++ }
		/^not ok / && !/# TODO/         { failed++ }
		/^test .* \.\.\. ok/            { passed++ }
		/^test .* \.\.\. FAILED/        { failed++ }
		/^test\/t\/[^ ]+ \.+ ok/        { passed++; next }
		/^test\/t\/[^ ]+ \.+ skipped/   { skipped++; next }
		/^test\/t\/[^ ]+ \.+/           { failed++ }
		END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# Show why a kind of test failed: the differences, or the end of each failed log.
show_failure() {
	local name
	case $1 in
		regress | isolation)
			[ ! -e "$TREE/regression.diffs" ] || tee "$LOGS/$1.diffs" <"$TREE/regression.diffs"
			;;
		tap)
			sed -n 's,^test/t/\([^ ]*\)\.pl *(Wstat.*,\1,p' "$LOGS/tap.log" | while read -r name; do
				say "the end of the log of $name"
				tail -n 40 "$TREE/tmp_check/log/regress_log_$name"
			done
			;;
	esac
}

# Is this kind to run?  All are, unless TESTS, SPECS or PROVE name what to run.
chosen() {
	[ -z "${TESTS-}${SPECS-}${PROVE-}" ] || [ -n "${!1-}" ]
}

# Run "make installcheck" for one kind, in the environment that TEST_ENV adds to.
installcheck() {
	ordinary env ${TEST_ENV-} make -sC "$TREE" PG_CONFIG="$PG_CONFIG" with_llvm=no installcheck "$@"
}

# Run the tests that need a server: regress and isolation each on a temporary one,
# TAP on those that it starts itself.
run_server_tests() {
	local temporary="--temp-instance=$SANDBOX/instance --temp-config=test/postgresql.conf"

	export PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT-60}
	offer_test_data

	! chosen TESTS || run_kind regress installcheck EXTRA_REGRESS_OPTS="$temporary" \
		ISOLATION= TAP_TESTS= ${TESTS:+REGRESS="install \$(filter-out install,$TESTS)"} || true
	! chosen SPECS || run_kind isolation installcheck EXTRA_REGRESS_OPTS="$temporary" \
		REGRESS= TAP_TESTS= ${SPECS:+ISOLATION="$SPECS"} || true
	! chosen PROVE || run_kind tap installcheck \
		REGRESS= ISOLATION= ${PROVE:+PROVE_TESTS="$PROVE"} || true
}

# Tell the tests in SYNC_TEST_DATA where real data lies, if it does: beside the
# checkout in ../shared/data, or in a copy that the ordinary user may read.
offer_test_data() {
	local data=${SYNC_TEST_DATA-$ROOT/../shared/data}
	[ -d "$data" ] || return 0
	if ! ordinary ls -R "$data" >/dev/null 2>&1; then
		copy_tree "$data" "$SANDBOX/data"
		data=$SANDBOX/data
	fi
	export SYNC_TEST_DATA=$data
}

# Print the result as the last line; fail unless all passed.
summarize() {
	printf '\n'
	[ $FAILED = 0 ] || printf 'What failed is in %s and %s.\n' "$LOGS" "$TREE"
	printf '%d passed, %d failed' $PASSED $FAILED
	[ $SKIPPED = 0 ] || printf ', %d skipped' $SKIPPED
	printf '\n'
	[ $FAILED = 0 ]
}
