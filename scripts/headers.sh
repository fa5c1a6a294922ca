#!/bin/bash
# headers.sh NAME...  brings the C headers of a Debian's Pythons, for scripts/layouts.py.
#
# NAME is one of interpreters.sh's. The headers of the packages libpython3.N-dev are put, once, under
# ${PYTRACE_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pytrace}/headers-NAME, whose path is printed.
set -euo pipefail

cd "$(dirname "$0")/.."
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

say() { echo "headers: $*" >&2; }

# A clean environment: no locale that the other system lacks, no PATH that it does not have.
inside() {
    $sudo env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$root" "$@" </dev/null
}

# Into /tmp/headers; as root, since apt's own user may not write there.
download() {
    inside sh -c 'cd /tmp/headers && exec apt-get -q -o APT::Sandbox::User=root download "$@"' \
        - "$@" >&2
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
for name in "$@"; do
    root=$(scripts/interpreters.sh "$name")
    headers=$(dirname "$root")/headers-$name
    if [ ! -d "$headers" ]; then
        packages=()
        for python in "$root"/usr/bin/python3.*[0-9]; do
            packages+=("libpython${python##*/python}-dev")
        done
        say "bringing the headers of ${packages[*]}"
        new=$(scripts/as-user.sh mktemp -d "$headers.XXXXXX")
        # shellcheck disable=SC2064 # the names as they are now
        trap "$sudo rm -rf $(printf %q "$new") $(printf %q "$root/tmp/headers")" EXIT
        inside mkdir -p /tmp/headers
        download "${packages[@]}" || { inside apt-get update -q >&2 && download "${packages[@]}"; }
        for package in "$root"/tmp/headers/*.deb; do
            dpkg-deb --fsys-tarfile "$package" |
                scripts/as-user.sh tar -x -C "$new" --no-same-owner ./usr/include
        done
        inside rm -r /tmp/headers
        chmod 755 "$new"
        mv -T "$new" "$headers"
        trap - EXIT
    fi
    echo "$headers"
done
