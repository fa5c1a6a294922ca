#!/bin/bash
# truth-tests.sh PYTRACE [ARGS...]  compares PYTRACE's recordings with sys.setprofile's, per
# interpreter, probe plan and tool that is active in the target.
#
# tests/truth/matrix.py runs them and gets ARGS; this is the list of the interpreters: those of
# Debian's releases, the system's, and those of a pyenv, if there is one. INTERPRETERS names others
# instead, as matrix.py takes them: NAME=ROOT:PYTHON, a line each.
set -euo pipefail

cd "$(dirname "$0")/.."
pytrace=$1
shift
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

if [ -n "${INTERPRETERS:-}" ]; then
    mapfile -t interpreters <<<"$INTERPRETERS"
else
    interpreters=("system=/:/usr/bin/python3")
    for suite in bullseye bookworm trixie sid; do
        root=$(scripts/interpreters.sh "$suite")
        for python in "$root"/usr/bin/python3.*; do
            [[ ${python##*/} =~ ^python3\.[0-9]+(-libpython)?$ ]] || continue
            interpreters+=("Debian $suite=$root:${python#"$root"}")
            # Built with a JIT that is off by default.
            [[ ${python##*/} =~ ^python3\.1[45]$ ]] || continue
            interpreters+=("Debian $suite, JIT=$root:${python#"$root"} PYTHON_JIT=1")
        done
    done

    pyenv=$(scripts/as-user.sh sh -c 'echo "${PYENV_ROOT:-$HOME/.pyenv}"')
    others=0
    mapfile -t found < <(printf '%s\n' "$pyenv"/versions/*/bin/python3 | sort -V)
    for python in "${found[@]}"; do
        [ -x "$python" ] || continue
        if "$python" -c 'import sys; sys.exit(sys.implementation.name != "cpython" or sys.version_info < (3, 6))'
        then
            interpreters+=("pyenv=/:$python")
            others=$((others + 1))
        else
            echo "-- left out: $python: no CPython 3.6 or later"
        fi
    done
    [ $others -gt 0 ] || echo "-- no interpreters of a pyenv: none in $pyenv/versions"
fi

cache=$(scripts/as-user.sh sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}"')
packages=$cache/packages
contents=$(cksum <tests/truth/fetch-packages.sh)
if [ "$(cat "$packages/.complete" 2>/dev/null)" != "$contents" ]; then
    echo "-- fetching packages"
    rm -rf "$packages"
    PYTHON=/usr/bin/python3 tests/truth/fetch-packages.sh "$packages"
    echo "$contents" >"$packages/.complete"
fi

# The example's trace, by the rules of the viewers that open it.
echo "-- the format of a trace"
trace=$(mktemp -d)/trace.json
$sudo "$pytrace" --python /usr/bin/python3 -o "$trace" examples/training_loop.py
/usr/bin/python3 -m json.tool "$trace" >/dev/null
/usr/bin/python3 tests/chrome_format.py "$trace"
$sudo rm -r "$(dirname "$trace")"

$sudo /usr/bin/python3 tests/truth/matrix.py --pytrace "$pytrace" --packages "$packages" "$@" \
    "${interpreters[@]}" </dev/null
