#!/bin/bash
# fuzz-seeds.sh  writes fuzz/seeds anew: what fuzzing starts from. Needs root for a recording, and the
# interpreters of interpreters.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

pythons=(/usr/bin/python3)
for release in bullseye:python3.9 trixie:python3.13 sid:python3.15; do
    root=$(scripts/interpreters.sh "${release%:*}")
    pythons+=("$root:/usr/bin/${release#*:}")
done
scripts/as-user.sh cargo build --locked --release --example seeds --manifest-path fuzz/Cargo.toml \
    --target-dir target/fuzz
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
new=$(mktemp -d)
trap '$sudo rm -rf "$new"' EXIT
$sudo target/fuzz/release/examples/seeds "$new" "${pythons[@]}"
$sudo chmod -R a+rX "$new"
scripts/as-user.sh rm -rf fuzz/seeds
scripts/as-user.sh cp -r "$new" fuzz/seeds
du -sh fuzz/seeds
