#!/bin/bash
# truth-tests.sh PYTRACE  compares PYTRACE's recordings with sys.setprofile's, per interpreter and plan.
#
# tests/truth/run.py does one interpreter; this is the list of them. Nothing is skipped: what a
# program needs is brought here first.
set -euo pipefail

cd "$(dirname "$0")/.."
pytrace=$1
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

bullseye=$(scripts/interpreters.sh bullseye)
sid=$(scripts/interpreters.sh sid)
packages=$(dirname "$bullseye")/packages
if [ ! -e "$packages/.complete" ]; then
    echo "-- fetching packages"
    rm -rf "$packages"
    PYTHON=/usr/bin/python3 tests/truth/fetch-packages.sh "$packages"
    touch "$packages/.complete"
fi

# The example's trace, by the rules of the viewers that open it.
echo "-- the format of a trace"
trace=$(mktemp -d)/trace.json
$sudo "$pytrace" --python /usr/bin/python3 -o "$trace" examples/training_loop.py
/usr/bin/python3 -m json.tool "$trace" >/dev/null
/usr/bin/python3 tests/chrome_format.py "$trace"
$sudo rm -r "$(dirname "$trace")"

passed=0 failed=0

# truth ROOT PYTHON PLAN...: ROOT is a directory that holds another Debian, or / for this one.
truth() {
    local root=$1 python=$2 plan arguments
    shift 2
    arguments=(--pytrace "$pytrace" --packages "$packages" --python "$python" --all)
    [ "$root" = / ] || arguments+=(--chroot "$root")
    for plan in "$@"; do
        arguments+=(--probes "$plan")
    done
    echo "-- CPython $python${root#/}: $*"
    if $sudo /usr/bin/python3 tests/truth/run.py "${arguments[@]}" </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

truth / /usr/bin/python3 dispatch
truth "$bullseye" /usr/bin/python3.9 usdt dispatch
truth "$sid" /usr/bin/python3.15 usdt dispatch

echo "$passed passed, $failed failed"
[ $failed = 0 ]
