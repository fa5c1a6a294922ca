#!/bin/sh
# screenshots.sh PYTRACE [DIR]  makes the pictures of the documentation, in DIR (docs/images), of a trace of
# examples/training_loop.py that PYTRACE records. Needs root for that, and Chromium.
set -eu

cd "$(dirname "$0")/.."
pytrace=$(realpath "${1:?usage: screenshots.sh PYTRACE [DIR]}")
images=${2:-docs/images}
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

# The pictures show where the program is: a place that says nothing of this machine.
place=$(mktemp -d /tmp/training.XXXXXX)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
cp examples/training_loop.py "$place"
(
    cd "$place"
    $sudo "$pytrace" --python "${PYTHON:-/usr/bin/python3}" -o "$place/training_loop.json" training_loop.py --epochs 4
)
mkdir -p "$images"
scripts/as-user.sh env PYTRACE_TRACE="$place/training_loop.json" PYTRACE_SCREENSHOTS="$(realpath "$images")" \
    cargo test --locked --test page screenshots -- --ignored
