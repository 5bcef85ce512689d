#!/bin/bash
#
# coverage.sh: run the tests with a build that notes which lines are run, print the
# share of each file, and leave the annotated source in tmp_coverage/index.html.

. "$(dirname "$0")/sandbox.sh"
. "$RUN/tests.sh"

"$RUN/setup.sh" server cron coverage
open_sandbox tmp_check
build_extension --coverage -O0 -fprofile-update=atomic -U_FORTIFY_SOURCE
run_server_tests

say "coverage"
info=$SANDBOX/coverage.info
lcov --quiet --capture --no-external --directory "$TREE" --output-file "$info"
lcov --list "$info"
rm -rf "$ROOT/tmp_coverage"
genhtml --quiet --output-directory "$ROOT/tmp_coverage" --prefix "$TREE" "$info"
echo "line by line: $ROOT/tmp_coverage/index.html"
summarize
