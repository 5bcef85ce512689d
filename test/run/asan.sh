#!/bin/bash
#
# asan.sh: run "make check" with the extension built to watch over its memory
# (AddressSanitizer with leaks, UndefinedBehaviorSanitizer), and fail when a report
# names our code.  Needs root.
#
# It runs in the trixie chroot of "make matrix", since preloading the sanitizer
# into Debian 12's own server hangs.  The memory reports are many, as the server
# and perl leak on their own at exit; ours are those with a frame in our library or
# tree.  If there is none at all, the sanitizer was not at work.  Reports of
# undefined behaviour stand in the servers' logs, and only our code makes any.
# A write past a malloc'ed chunk, a leak and a shift too far that were planted in
# the extension were each caught.

. "$(dirname "$0")/sandbox.sh"
. "$RUN/chroot.sh"

suite=trixie
reports=$CHROOTS/$suite/build/tmp_asan
sandbox=$CHROOTS/$suite/build/tmp_check

lock_chroots
prepare_chroot $suite
in_chroot $suite /build/test/run/setup.sh server cron
mkdir -m 1777 "$reports"

libraries=$(in_chroot $suite sh -c 'echo "$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)"')
sanitizer="LD_PRELOAD=$libraries
	ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:exitcode=0:print_legend=0:log_path=/build/tmp_asan/report
	UBSAN_OPTIONS=print_stacktrace=1
	LSAN_OPTIONS=exitcode=0"

failed=0
say "make check on $suite (without lint)"
in_chroot $suite env COPT="-fsanitize=address,undefined -fno-omit-frame-pointer -g -O1 -U_FORTIFY_SOURCE" \
	TEST_ENV="$sanitizer" KEEP=yes make -C /build check LINT=no || failed=1

say "reports that name our code"
number=$(find "$reports" -type f | wc -l)
{
	find "$reports" -type f -exec awk -v RS= -v ORS='\n\n' '/sync_ext\.so|\/build\/tmp_check\/tree\//' {} +
	grep -rh -A 8 --include='*.log' ': runtime error: ' "$sandbox" || true
} | grep . && failed=1 || echo none
echo "of $number reports"
[ "$number" -gt 0 ] || failed=1
exit $failed
