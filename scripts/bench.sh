#!/bin/bash
# bench.sh [NAME]...  measures what tracing costs: calls, values, memory, start, consume, derive; and patterns: what
# finding them costs. Default: all of these. Or matrix: calls on the interpreters that PYTHONS names.
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
others=()
for name in "$@"; do
    if [ "$name" = patterns ]; then patterns=yes; else others+=("$name"); fi
done

if [ -n "$patterns" ] || [ $# = 0 ]; then
    program=$(build patterns)
    scripts/as-user.sh env CALLS="${CALLS:-10000000}" FAMILIES="${FAMILIES:-}" "$program"
    [ $# = 0 ] || [ ${#others[@]} != 0 ] || exit 0
fi
program=$(build cost)
exec $sudo env PYTHON="${PYTHON:-/usr/bin/python3}" PYTHONS="${PYTHONS:-}" "$program" "${others[@]}"
