# sandbox.sh: the functions that the scripts of this folder share.
#
# A sandbox is a folder in the checkout in which everything happens: it holds a
# copy of the source tree, a copy of the installed server for the extension to be
# installed into, the servers that the tests start, their sockets and their logs.
# Nothing outside of it is touched.  It belongs to an ordinary user, since
# PostgreSQL will not run as root: to whoever calls, or to postgres where root
# does.  It goes when all went well and stays when something failed; KEEP=yes
# keeps it always.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
RUN=$ROOT/test/run

# What tar leaves out when it copies the source tree.
NOT_SOURCE=(--exclude-vcs --exclude='./tmp_*' --exclude='*.o' --exclude='*.so' --exclude='*.bc')

# Nothing of the caller's surroundings may change what a test sees.
unset MAKEFLAGS MFLAGS MAKELEVEL LANGUAGE "${!LC_@}"
for name in "${!PG@}"; do
	case $name in PG_CONFIG | PG_TEST_*) ;; *) unset "$name" ;; esac
done
export LANG=C.UTF-8

say() { printf '\n== %s\n' "$*"; }

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

#
# The ordinary user and the server
#

# Run a command as the ordinary user.
ordinary() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups -- "$@"
	else
		"$@"
	fi
}

# Print which pg_config to use: the one that PG_CONFIG names, else that of the
# newest server that has its headers installed.
find_pg_config() {
	local candidate
	for candidate in ${PG_CONFIG:-$(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -Vr) pg_config}; do
		candidate=$(command -v "$candidate") || continue
		[ -e "$("$candidate" --includedir-server)/postgres.h" ] || continue
		echo "$candidate"
		return
	done
	return 1
}

# Copy a folder for the ordinary user to own; more arguments are options of tar.
copy_tree() {
	local from=$1 to=$2
	shift 2
	ordinary mkdir -p "$to"
	tar -C "$from" "$@" -cf - . | ordinary tar -C "$to" -xf -
}

# Copy the server into the sandbox, without a sync_ext that may be installed, and use
# that copy from here on.  PostgreSQL finds its files relative to its programs, so
# the copy is complete in itself.
copy_server() {
	local bindir prefix dir
	bindir=$("$PG_CONFIG" --bindir) prefix=$bindir
	until [[ $("$PG_CONFIG" --sharedir) == "$prefix"/* ]]; do prefix=${prefix%/*}; done
	for dir in $("$PG_CONFIG" --bindir --pkglibdir --sharedir --includedir); do
		copy_tree "$dir" "$SANDBOX/server${dir#"$prefix"}" --exclude='sync_ext*'
	done
	PG_CONFIG=$SANDBOX/server${bindir#"$prefix"}/pg_config
}

#
# The sandbox
#

# Make the sandbox of the given name, with the source tree and the server in it.
# Where the ordinary user cannot get at the checkout, or its name has a space,
# which PGXS does not take, it lies in /tmp instead.
open_sandbox() {
	PG_CONFIG=$(find_pg_config) || die "no server with its headers found"
	SANDBOX=$ROOT/$1
	if [[ $SANDBOX == *[[:space:]]* ]] ||
		! { mkdir -p "$SANDBOX" && give "$SANDBOX" && ordinary test -w "$SANDBOX"; } 2>/dev/null; then
		rmdir "$SANDBOX" 2>/dev/null || true
		SANDBOX=$(mktemp -d "/tmp/$1.XXXXXX")
		give "$SANDBOX"
	fi
	export HOME=$SANDBOX TMPDIR=$SANDBOX/tmp
	exec 9<"$SANDBOX"
	flock -n 9 || die "another run is at work in $SANDBOX"
	trap close_sandbox EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	stop_servers
	find "$SANDBOX" -mindepth 1 -delete
	TREE=$SANDBOX/tree LOGS=$SANDBOX/log
	ordinary mkdir "$LOGS"
	ordinary mkdir -m 700 "$TMPDIR"
	copy_tree "$ROOT" "$TREE" "${NOT_SOURCE[@]}"
	copy_server
	export PG_CONFIG
	cd "$SANDBOX"

	# Sockets lie in TMPDIR, and the name of a socket can only be so long.
	if [ ${#TMPDIR} -gt 70 ]; then
		TMPDIR=$(mktemp -d -p /tmp)
		give "$TMPDIR"
	fi
}

# Stop what still runs in the sandbox, and clear it away unless something failed.
close_sandbox() {
	local status=$?
	trap - EXIT INT TERM HUP
	stop_servers
	[ "$TMPDIR" = "$SANDBOX/tmp" ] || rm -rf "$TMPDIR"
	cd /
	if [ -z "${KEEP-}" ] && { [ $status = 0 ] || [ $status -gt 128 ]; }; then
		rm -rf "$SANDBOX" || true
	fi
	exit $status
}

# Stop every server whose data lies in the sandbox.
stop_servers() {
	find "$SANDBOX" -name postmaster.pid -printf '%h\n' | while read -r data; do
		ordinary "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$data" -m immediate stop </dev/null >/dev/null 2>&1 || true
	done
}

# Give a file or folder to the ordinary user.
give() {
	[ "$(id -u)" != 0 ] || chown postgres: "$1"
}

# Run make in the copy of the tree, against the copy of the server.
make_in_tree() {
	ordinary make -sC "$TREE" PG_CONFIG="$PG_CONFIG" with_llvm=no "$@"
}

# Build the extension with the given compiler flags and install it in the sandbox.
build_extension() {
	make_in_tree -j"$(nproc)" all COPT="$*" && make_in_tree install COPT="$*"
}
