#!/bin/bash
#
# setup.sh NEED...: see that what is needed is there, and install what is not.
#
# The needs are: server (build and test the extension), cron (pg_cron for it), fake (the
# fake providers), lint, coverage, chroot, and of the benchmarks bench, queue, http.
# Each thing is looked for where it is used, not by the name of its package, so
# that a server from another source does as well.  What is missing is installed
# with apt-get, by root or through a sudo that asks no password; otherwise the one
# line to run is printed.  (Debian's package of the server sets up a cluster of its
# own, as always; the scripts here neither use it nor stop it.)

. "$(dirname "$0")/sandbox.sh"

# Note a package as missing if the command after it fails.
want() {
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}

# Fill "missing" with the packages to install.
look() {
	local need
	missing=()
	for need; do "want_$need"; done
}

want_server() {
	local pg_config major bindir include headers pgxs
	if pg_config=$(find_pg_config); then
		major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
		bindir=$("$pg_config" --bindir)
		include=$("$pg_config" --includedir)
		headers=$("$pg_config" --includedir-server)
		pgxs=$(dirname "$("$pg_config" --pgxs)")/../..
	else
		[ -z "${PG_CONFIG-}" ] || die "$PG_CONFIG is no pg_config of a server with headers"
		major=$(default_major)
		bindir=/usr/lib/postgresql/$major/bin
		include=/usr/include/postgresql
		headers=$include/$major/server
		pgxs=/usr/lib/postgresql/$major/lib/pgxs
	fi

	want "postgresql${major:+-$major}" test -x "$bindir/postgres"
	want "postgresql-client${major:+-$major}" test -x "$pgxs/src/test/regress/pg_regress"
	want "postgresql-server-dev-${major:-all}" test -e "$headers/postgres.h"
	want libpq-dev test -e "$include/libpq-fe.h"
	want zlib1g-dev test -e /usr/include/zlib.h
	want libcurl4-openssl-dev command -v curl-config
	want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
	want libssl-dev test -e /usr/include/openssl/evp.h
	want gcc command -v gcc
	want libc6-dev test -e /usr/include/stdio.h
	want perl command -v prove
	want python3 command -v python3
	want python3-aiosmtpd /usr/bin/python3 -c 'import aiosmtpd.controller'
	want libipc-run-perl perl -MIPC::Run -e 1
	want nghttp2-server test -x /usr/sbin/nghttpd
}

want_cron() {
	local pg_config major
	if pg_config=$(find_pg_config); then
		major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	fi
	want "postgresql-${major:-$(default_major)}-cron" test -e "$("${pg_config:-false}" --pkglibdir)/pg_cron.so"
}

# For the fake providers.
want_fake() {
	want python3 command -v python3
}

want_lint() {
	want clang-format command -v clang-format
	want cppcheck command -v cppcheck
}

want_coverage() {
	want lcov command -v lcov
}

want_bench() {
	want python3-psycopg2 /usr/bin/python3 -c 'import psycopg2'
	want python3-pandas /usr/bin/python3 -c 'import pandas'
	want python3-sqlalchemy /usr/bin/python3 -c 'import sqlalchemy'
}

want_http() {
	want nginx-light test -x /usr/sbin/nginx
	want python3-psycopg2 /usr/bin/python3 -c 'import psycopg2'
	want python3-requests /usr/bin/python3 -c 'import requests'
}

want_queue() {
	local pg_config
	want npm command -v npm
	if pg_config=$(find_pg_config); then
		want "postgresql-$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')-pgq3" \
			test -e "$("$pg_config" --sharedir)/extension/pgq.control"
	fi
}

want_chroot() {
	want debootstrap test -x /usr/sbin/debootstrap
}

# Print the version of PostgreSQL that the distribution takes by default.
default_major() {
	apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' || true
}

look "$@"
[ ${#missing[@]} != 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	if ! sudo -n true 2>/dev/null; then
		cat >&2 <<-END
			Some packages are missing.  Please run this as root, and then try again:
			apt-get update && apt-get install -y --no-install-recommends ${missing[*]}
		END
		exit 1
	fi
	as_root=(sudo -n)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=600 "$@" </dev/null >"$log" 2>&1
}

say "setting up"
apt_get update || echo "some package lists could not be fetched; going on with those at hand"
look "$@"
echo "installing ${missing[*]}"
apt_get install -y --no-install-recommends "${missing[@]}" || {
	cat "$log" >&2
	die "the installation failed"
}
look "$@"
[ ${#missing[@]} = 0 ] || die "still missing after the installation: ${missing[*]}"
