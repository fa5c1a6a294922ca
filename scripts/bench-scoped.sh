#!/bin/bash
# bench-scoped.sh PROGRAM  runs the benchmark `scoped`, as root, with an interpreter and packages that
# serve it.
#
# The interpreter is PYTHON, if it is a CPython that --selective knows and that each package has wheels
# for: 3.13 or 3.14. Else it is Debian trixie's, which interpreters.sh brings. The packages are fetched
# once.
set -euo pipefail

cd "$(dirname "$0")/.."
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

python=${PYTHON:-/usr/bin/python3}
version=$("$python" -c '
import sys
print(sys.implementation.name, "%d.%d%s" % (sys.version_info[:2] + (sys.abiflags,)))')
case $version in
    "cpython 3.13" | "cpython 3.14")
        version=${version#* }
        interpreter=$python
        ;;
    *)
        echo "bench: $python is $version: Debian trixie's CPython 3.13 is measured instead;" \
            "PYTHON may name a 3.13 or 3.14" >&2
        root=$(scripts/interpreters.sh trixie)
        version=3.13
        interpreter=$root:/usr/bin/python3.13
        ;;
esac

cache=$(scripts/as-user.sh sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}"')
packages=$cache/scoped-$version
contents=$(cksum <benches/scoped/fetch-packages.sh)
if [ "$(cat "$packages/.complete" 2>/dev/null)" != "$contents" ]; then
    echo "bench: fetching packages for CPython $version" >&2
    rm -rf "$packages"
    scripts/as-user.sh mkdir -p "$packages"
    PYTHON=/usr/bin/python3 scripts/as-user.sh \
        benches/scoped/fetch-packages.sh "$packages/site-packages" "$version" || {
        echo "bench: the packages could not be fetched: nothing to measure" >&2
        exit 1
    }
    echo "$contents" >"$packages/.complete"
fi

exec $sudo env INTERPRETER="$interpreter" PACKAGES="$packages/site-packages" \
    ROUNDS="${ROUNDS:-}" "$1"
