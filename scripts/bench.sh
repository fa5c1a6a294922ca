#!/bin/bash
# bench.sh [NAME]...  measures what tracing costs: calls, values, memory, start, consume, derive; default: all of
# these. Or matrix: calls on the interpreters that PYTHONS names.
#
# cargo builds as the user; only the measurement runs as root. PYTHON names the interpreter.
set -euo pipefail

cd "$(dirname "$0")/.."
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

built=$(scripts/as-user.sh cargo bench --locked --bench cost --no-run \
    --message-format=json-render-diagnostics)
program=$(sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
[ -n "$program" ] || { echo "bench: cargo built nothing" >&2; exit 1; }
exec $sudo env PYTHON="${PYTHON:-/usr/bin/python3}" PYTHONS="${PYTHONS:-}" "$program" "$@"
