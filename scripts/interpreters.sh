#!/bin/bash
# interpreters.sh NAME...  brings real Pythons to this machine, for the tests.
#
# NAME is a Debian suite: bullseye (CPython 3.9, with USDT probes), bookworm (3.11), trixie (3.13),
# sid (3.14 and 3.15). Each becomes a small Debian of its own, with the standard library's tests,
# under ${PYTRACE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pytrace}/debian-NAME, whose path is printed.
# In it are /usr/bin/python3.N and, upon libpython3.N.so instead, /usr/bin/python3.N-libpython.
# What is there already is left alone, but for packages that it lacks.
# PYTRACE_MIRROR names another mirror than deb.debian.org.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mirror=${PYTRACE_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
main=$here/libpython-main.c
contents=/etc/pytrace-contents # in each root
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

say() { echo "interpreters: $*" >&2; }
die() { say "$*"; exit 1; }

versions_of() {
    case $1 in
        bullseye) echo 3.9 ;;
        bookworm) echo 3.11 ;;
        trixie)   echo 3.13 ;;
        sid)      echo 3.14 3.15 ;;
        *)        die "unknown name: $1 (there are: bullseye bookworm trixie sid)" ;;
    esac
}

packages_of() { echo "python$1 libpython$1-testsuite libpython$1"; }

# What a finished root holds, to tell one that an older version of this script made.
contents_of() {
    local version
    for version in $(versions_of "$1"); do packages_of "$version"; done
    cksum <"$main"
}

# A clean environment: no locale that the new system lacks, no PATH that it does not have.
inside() {
    local root=$1
    shift
    $sudo env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        chroot "$root" "$@" </dev/null
}

# Removes an unfinished root; never follows a mount (debootstrap's /proc) out of it.
discard() {
    $sudo umount "$1/proc" "$1/sys" 2>/dev/null || true
    $sudo rm -rf --one-file-system "$1"
}

bootstrap() {
    local suite=$1 root=$2 log=$3 tried
    # Suites that are no longer supported move to the archive.
    for tried in "$mirror" http://archive.debian.org/debian; do
        # sid's script serves every suite, and older debootstraps have it too.
        # The umask: the new system's own / must be readable to the users in it.
        if (umask 022 && $sudo debootstrap --variant=minbase --include=ca-certificates \
                --keyring="$keyring" "$suite" "$root" "$tried" \
                /usr/share/debootstrap/scripts/sid) </dev/null >>"$log" 2>&1; then
            return
        fi
        # Only a mirror without that suite is a reason to ask the next one.
        grep -q 'Failed getting release file' "$log" || break
        discard "$root"
    done
    tail -n 5 "$log" >&2
    if grep -q -e 'NO_PUBKEY' -e 'unknown key' "$log"; then
        say "hint: this machine's debian-archive-keyring is older than $suite's signing key; upgrade it"
    fi
    die "debootstrap of $suite failed; all it said: $log"
}

# Installs those of the suite's Pythons that it (still) has: sid moves on.
install_pythons() {
    local suite=$1 root=$2 log=$3 version package wanted=()
    # As debootstrap does, without the expiry date: a mirror, or this machine's clock, may be off by days.
    inside "$root" apt-get update -q -o Acquire::Check-Valid-Until=false >>"$log" 2>&1 ||
        die "apt-get update in $suite failed: $log"
    for version in $(versions_of "$suite"); do
        if ! inside "$root" apt-cache show "python$version" >/dev/null 2>&1; then
            say "$suite has no python$version any more: the tests will go without it"
            continue
        fi
        for package in $(packages_of "$version"); do
            inside "$root" apt-cache show "$package" >/dev/null 2>&1 && wanted+=("$package")
        done
    done
    [ ${#wanted[@]} -gt 0 ] || die "$suite has none of: $(versions_of "$suite")"
    inside "$root" apt-get install -q -y --no-install-recommends python3 "${wanted[@]}" \
        >>"$log" 2>&1 || { tail -n 5 "$log" >&2; die "installing ${wanted[*]} failed: $log"; }
    inside "$root" apt-get clean
    for version in $(versions_of "$suite"); do
        make_libpython_main "$root" "$version" >>"$log" 2>&1 ||
            die "no executable upon libpython$version: $log"
    done
    contents_of "$suite" | $sudo tee "$root$contents" >/dev/null
}

make_libpython_main() {
    local root=$1 version=$2 library built
    for library in "$root"/usr/lib/*/"libpython$version.so.1.0"; do
        [ -e "$library" ] || return 0
        built=$(mktemp)
        cc -O2 -nostartfiles -Wl,--allow-shlib-undefined -o "$built" "$main" "$library" -lc &&
            $sudo install -m 755 "$built" "$root/usr/bin/python$version-libpython"
        rm "$built"
        inside "$root" "/usr/bin/python$version-libpython" -c 'import ctypes, sqlite3'
    done
}

complete() { [ "$(cat "$2$contents" 2>/dev/null)" = "$(contents_of "$1")" ]; }

bring() {
    local suite=$1 root=$cache/debian-$1 new=$cache/.debian-$1.new log=$cache/debian-$1.log
    versions_of "$suite" >/dev/null
    if ! complete "$suite" "$root"; then
        "$here/as-user.sh" mkdir -p "$cache"
        # Two runs at once: the second waits, and finds the work done.
        exec 9<"$cache"
        flock 9
        if [ ! -d "$root" ]; then
            "$here/setup.sh" test
            say "making $root (once, takes minutes): Debian $suite with Python $(versions_of "$suite")"
            discard "$new"
            rm -f "$log"
            # shellcheck disable=SC2064 # the name as it is now
            trap "discard $(printf %q "$new")" EXIT
            bootstrap "$suite" "$new" "$log"
            install_pythons "$suite" "$new" "$log"
            $sudo mv "$new" "$root"
            trap - EXIT
            rm -f "$log"
        elif ! complete "$suite" "$root"; then
            say "bringing $root up to date"
            rm -f "$log"
            install_pythons "$suite" "$root" "$log"
            rm -f "$log"
        fi
        exec 9<&-
    fi
    echo "$root"
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cd "$here/.."
cache=$(scripts/as-user.sh sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}"')
for name in "$@"; do
    bring "$name"
done
