#!/bin/bash
# bench.sh [NAME]...  measures what tracing costs: calls, values, memory, start, consume, derive, bystander; patterns: what finding
# them costs; serve: what looking at a trace costs; scoped: what tracing costs real programs whose own code is a small
# part, beside other tracers. Default: all of these. Or matrix: calls on the interpreters that PYTHONS names.
#
# cargo builds as the user; only the measurement runs as root. PYTHON names the interpreter.
set -euo pipefail

cd "$(dirname "$0")/.."
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

# build BENCH  prints the path of the program
build() {
    local built program
    built=$(scripts/as-user.sh cargo bench --locked --bench "$1" --no-run \
        --message-format=json-render-diagnostics)
    program=$(sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
    [ -n "$program" ] || { echo "bench: cargo built nothing" >&2; exit 1; }
    echo "$program"
}

patterns=
serve=
scoped=
others=()
for name in "$@"; do
    case $name in
        patterns) patterns=yes ;;
        serve) serve=yes ;;
        scoped) scoped=yes ;;
        *) others+=("$name") ;;
    esac
done
[ $# != 0 ] || { patterns=yes; serve=yes; scoped=yes; }

if [ -n "$patterns" ]; then
    program=$(build patterns)
    scripts/as-user.sh env CALLS="${CALLS:-10000000}" FAMILIES="${FAMILIES:-}" "$program"
fi
if [ -n "$serve" ]; then
    program=$(build serve)
    scripts/as-user.sh env CALLS="${CALLS:-}" TRACES="${TRACES:-}" SPEEDSCOPE="${SPEEDSCOPE:-}" SEED="${SEED:-}" \
        "$program"
fi
if [ -n "$scoped" ]; then
    program=$(build scoped)
    scripts/bench-scoped.sh "$program"
fi
[ $# = 0 ] || [ ${#others[@]} != 0 ] || exit 0
program=$(build cost)
exec $sudo env PYTHON="${PYTHON:-/usr/bin/python3}" PYTHONS="${PYTHONS:-}" "$program" "${others[@]}"
