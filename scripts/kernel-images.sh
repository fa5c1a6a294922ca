#!/bin/bash
# kernel-images.sh SUITE...  brings Debian's kernels to this machine, for scripts/kernel-tests.sh.
#
# SUITE is a Debian suite: bullseye (Linux 5.10), bookworm (6.1), trixie (6.12), sid (the newest).
# Of each, the image of linux-image-cloud-amd64 (the one for virtual machines: the same source,
# fewer drivers) is put into ${PYTRACE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pytrace}/kernels, and its
# path printed. apt of that suite's root (scripts/interpreters.sh) fetches the packages, and
# verifies them by the archive's signatures. What is there already is taken, unless UPDATE is set.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
wanted=linux-image-cloud-amd64
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

say() { echo "kernel-images: $*" >&2; }
die() { say "$*"; exit 1; }

# inside ROOT COMMAND...: as in scripts/interpreters.sh.
inside() {
    local root=$1
    shift
    $sudo env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$root" "$@" </dev/null
}

# The packages that may hold the image: up to sid it is in linux-image-VERSION itself, there in
# linux-binary-VERSION.
packages_in() {
    inside "$1" apt-cache depends --important --recurse "$wanted" |
        grep -E '^linux-(image|binary)-[0-9]'
}

bring() {
    local suite=$1 image=$kernels/$1 root log=$kernels/$1.log place packages package found=()
    if [ -e "$image" ] && [ -z "${UPDATE:-}" ]; then
        echo "$image"
        return
    fi
    root=$("$here/interpreters.sh" "$suite")
    "$here/as-user.sh" mkdir -p "$kernels"
    say "fetching $suite's $wanted"
    # As in interpreters.sh: without the expiry date of the lists.
    inside "$root" apt-get update -q -o Acquire::Check-Valid-Until=false >"$log" 2>&1 ||
        die "apt-get update in $suite failed: $log"
    packages=$(packages_in "$root") || die "$suite has no $wanted"
    place=$(inside "$root" mktemp -d)
    # shellcheck disable=SC2064 # the names as they are now
    trap "$sudo rm -rf $(printf %q "$root$place")" EXIT
    for package in $packages; do
        # shellcheck disable=SC2016 # for the inner shell
        inside "$root" sh -c 'cd "$0" && apt-get download -q "$1"' "$place" "$package" \
            >>"$log" 2>&1 || die "fetching $package failed: $log"
    done
    for package in "$root$place"/*.deb; do
        dpkg-deb --extract "$package" "$root$place/content"
    done
    for package in "$root$place"/content/boot/vmlinuz-* "$root$place"/content/usr/lib/modules/*/vmlinuz; do
        [ ! -e "$package" ] || found+=("$package")
    done
    [ ${#found[@]} -gt 0 ] || die "no kernel image in:" $packages
    # In one step, so that none is there half.
    "$here/as-user.sh" cp "${found[0]}" "$image.new"
    "$here/as-user.sh" mv "$image.new" "$image"
    rm -f "$log"
    echo "$image"
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
kernels=$("$here/as-user.sh" sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}/kernels"')
for suite in "$@"; do
    (bring "$suite")
done
