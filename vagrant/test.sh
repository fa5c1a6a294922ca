#!/bin/sh
# All tests, in a box: what is built stays out of the folder that comes from outside.
set -eu
uname -r
cd /vagrant
CARGO_TARGET_DIR=$HOME/target make test
