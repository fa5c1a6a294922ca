#!/bin/sh
# Brings a box what scripts/setup.sh does not: curl, and by rustup a Rust that is new enough.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends ca-certificates curl sudo
su - vagrant -c 'command -v cargo || [ -x ~/.cargo/bin/cargo ] ||
    curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default'
