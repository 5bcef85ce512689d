# chroot.sh: functions that make chroots of other Debian releases and run the
# checkout's tests in them.
#
# A chroot is made once, with debootstrap from the mirror that this machine's apt
# uses, and kept in tmp_matrix/SUITE (or $MATRIX_DIR/SUITE).  All that "make check"
# needs it installs in there by itself, as it would on a user's machine, but for
# the server's headers: their package brings a second compiler of 1 GB that only
# makes bitcode, so it is unpacked rather than installed.

CHROOTS=${MATRIX_DIR-$ROOT/tmp_matrix}

# Run a command as root in the chroot of a suite.  It sees /proc and /dev in a mount
# namespace of its own, so that no mount is left behind.
in_chroot() {
	local chroot=$CHROOTS/$1
	shift
	unshare --mount --propagation private sh -c '
		mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$chroot" \
		env -u SYNC_TEST_DATA -u PG_CONFIG HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

# Keep others from using the chroots at the same time.
lock_chroots() {
	[ "$(id -u)" = 0 ] || die "chroots are made by root; run it with sudo"
	"$RUN/setup.sh" chroot
	mkdir -p "$CHROOTS"
	exec 9<"$CHROOTS"
	flock -n 9 || die "another run is using the chroots in $CHROOTS"
}

# Make the chroot of a suite, unless it is there, and copy the checkout to /build in
# it and the real data to where a checkout expects it.
prepare_chroot() {
	local suite=$1 chroot=$CHROOTS/$1
	if [ ! -d "$chroot" ]; then
		say "making the chroot $chroot"
		rm -rf "$chroot.new"
		if ! make_chroot "$suite" "$suite.new" >"$chroot.log" 2>&1; then
			echo "that failed; see $chroot.log"
			return 1
		fi
		mv "$chroot.new" "$chroot"
	fi
	rm -rf "$chroot/build" "$chroot/shared"
	mkdir "$chroot/build"
	tar -C "$ROOT" "${NOT_SOURCE[@]}" -cf - . | tar -C "$chroot/build" --no-same-owner -xf -
	if [ -d "$ROOT/../shared/data" ]; then
		mkdir "$chroot/shared"
		cp -R "$ROOT/../shared/data" "$chroot/shared/"
	fi
}

make_chroot() {
	local suite=$1 name=$2 chroot=$CHROOTS/$2 script= mirror
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | sed -n 1p)
	# An older debootstrap does not know the newest suites, which are made like sid.
	[ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
	debootstrap --variant=minbase --include=make "$suite" "$chroot" "$mirror" $script || return

	cat >"$chroot/etc/dpkg/dpkg.cfg.d/slim" <<-END
		path-exclude=/usr/share/doc/*
		path-exclude=/usr/share/man/*
		path-exclude=/usr/share/locale/*
	END
	# A mirror's copy of a testing suite may be older than the week it is valid for.
	# The signature is checked all the same.
	in_chroot "$name" apt-get update || {
		echo 'Acquire::Check-Valid-Until "false";' >"$chroot/etc/apt/apt.conf.d/old-mirror"
		in_chroot "$name" apt-get update
	} || return
	in_chroot "$name" sh -euc '
		cd /tmp
		major=$(apt-cache depends postgresql | sed -n "s/.*Depends: postgresql-\([0-9]*\)$/\1/p")
		apt-get download "postgresql-server-dev-$major"
		dpkg -x postgresql-server-dev-*.deb /
		rm postgresql-server-dev-*.deb'
}
