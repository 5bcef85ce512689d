#!/bin/bash
#
# check.sh: run every test and end with the line "N passed, N failed".
#
# Sets up what is missing, then in a sandbox: lint, a build in which each warning
# is an error, the regress, isolation and TAP tests.  A failure of one kind does
# not keep the others from running.
#
#   TESTS="progress tracking"   run these regress tests only
#   SPECS="race_execute"        these isolation specs only
#   PROVE="test/t/001_*.pl"     these TAP files only
#   LINT=no                     run no lint
#   PG_CONFIG=/path/pg_config   test with this server
#   COPT="-g3"                  more compiler flags
#   TEST_ENV="NAME=value"       more environment for the servers under test
#   KEEP=yes                    keep tmp_check/ though all passed

. "$(dirname "$0")/sandbox.sh"
. "$RUN/tests.sh"

build_strictly() {
	build_extension -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare ${COPT-} &&
		echo "ok - builds without a warning"
}

lint=yes
chosen LINT && [ "${LINT-}" != no ] || lint=

"$RUN/setup.sh" server cron ${lint:+lint}
open_sandbox tmp_check
[ -z "$lint" ] || run_kind lint "$ROOT/test/lint/run.sh" || true
if run_kind build build_strictly; then
	run_server_tests
fi
summarize
