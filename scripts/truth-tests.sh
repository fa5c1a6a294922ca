#!/bin/bash
# truth-tests.sh PYTRACE  compares PYTRACE's recordings with sys.setprofile's, per interpreter and plan.
#
# tests/truth/run.py does one interpreter and plan; this is the list of them.
set -euo pipefail

cd "$(dirname "$0")/.."
pytrace=$1
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

passed=0 failed=0

# truth ROOT PYTHON PLAN: ROOT is a directory that holds another Debian, or / for this one.
truth() {
    echo "-- $2 of $1, $3"
    if $sudo /usr/bin/python3 tests/truth/run.py \
        --pytrace "$pytrace" --root "$1" --python "$2" --probes "$3" </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

truth / /usr/bin/python3 dispatch
bullseye=$(scripts/interpreters.sh bullseye)
sid=$(scripts/interpreters.sh sid)
for plan in usdt dispatch; do
    truth "$bullseye" /usr/bin/python3.9 $plan
    for python in "$sid"/usr/bin/python3.1[4-9]; do
        truth "$sid" "${python#"$sid"}" $plan
    done
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
