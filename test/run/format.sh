#!/bin/bash
#
# format.sh: give every C file the look that .clang-format describes.

. "$(dirname "$0")/sandbox.sh"

"$RUN/setup.sh" lint
cd "$ROOT"
exec clang-format -i sync_ext.c src/*/*.[ch]
