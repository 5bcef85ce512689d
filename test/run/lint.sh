#!/bin/bash
#
# lint.sh: set up what the lint checks need, and run them all.

. "$(dirname "$0")/sandbox.sh"

"$RUN/setup.sh" server lint
PG_CONFIG=$(find_pg_config)
export PG_CONFIG
exec "$ROOT/test/lint/run.sh"
