#!/bin/bash
# root-tests.sh [FILTER] [ARGS]...  runs the tests that are marked `#[ignore = "needs root …"]`.
#
# cargo builds as the user; only the test programs run as root. ARGS are the test harness's.
set -euo pipefail

cd "$(dirname "$0")/.."
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

built=$(scripts/as-user.sh cargo test --locked --no-run --message-format=json-render-diagnostics)
mapfile -t programs < <(sed -n \
    '/"profile":{[^}]*"test":true/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
[ ${#programs[@]} -gt 0 ] || { echo "root-tests: cargo built no tests" >&2; exit 1; }

# It makes the documentation's pictures, for scripts/screenshots.sh.
set -- --skip pictures_for_the_documentation "$@"

trixie=$(scripts/interpreters.sh trixie)
ran=0 failed=()
for program in "${programs[@]}"; do
    # Programs without such a test need no rights to say so.
    [ -n "$("$program" --ignored --list --format=terse "$@")" ] || continue
    echo "-- $(basename "$program")"
    ran=$((ran + 1))
    # One at a time: tests that stop and trace processes would measure each other.
    $sudo env CARGO_MANIFEST_DIR="$PWD" PYTRACE_TRIXIE="$trixie" PYTRACE_CYCLES="${PYTRACE_CYCLES:-50}" RUST_BACKTRACE=1 \
        "$program" --ignored --test-threads=1 "$@" </dev/null || failed+=("$(basename "$program")")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "root-tests: failed in: ${failed[*]}" >&2
    exit 1
fi
[ $ran -gt 0 ] || { echo "root-tests: no such test: ${*:3}" >&2; exit 1; }
echo "root-tests: $ran test programs passed"
