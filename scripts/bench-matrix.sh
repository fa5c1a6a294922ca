#!/bin/bash
# bench-matrix.sh  measures what a call and a generator's item cost on every CPython at hand: the
# system's, pyenv's, those of the Debians that interpreters.sh has brought, and what cpythons.sh has built.
#
# PYTHONS names others instead: PYTHON, or ROOT:PYTHON in another system's root directory.
set -euo pipefail

cd "$(dirname "$0")/.."
cache=$(scripts/as-user.sh sh -c 'echo "${PYTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pytrace}"')
pyenv=$(scripts/as-user.sh sh -c 'echo "${PYENV_ROOT:-$HOME/.pyenv}"')

if [ -z "${PYTHONS:-}" ]; then
    PYTHONS=/usr/bin/python3
    for version in "$pyenv"/versions/3.*/bin/python3; do
        [ ! -x "$version" ] || PYTHONS+=" $version"
    done
    for root in "$cache"/debian-{bullseye,bookworm,trixie,sid}; do
        for python in "$root"/usr/bin/python3.?{,?}; do
            [ ! -x "$python" ] || PYTHONS+=" $root:${python#"$root"}"
        done
    done
    for python in "$cache"/debian-cpythons/opt/*/bin/python3.?{,?}; do
        [ ! -x "$python" ] || PYTHONS+=" $cache/debian-cpythons:${python#"$cache/debian-cpythons"}"
    done
fi
export PYTHONS
exec scripts/bench.sh matrix
