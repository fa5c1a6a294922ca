#!/bin/bash
# fuzz.sh [TARGET]...  feeds each target of fuzz/ with hostile bytes for SECONDS_EACH seconds
# (60); default: all targets. Stops at the first that fails and names the file that does it.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
[ $# -gt 0 ] || targets=(plan trace_file records values)
cargo=$(command -v cargo)
"$cargo" +nightly fuzz --version >/dev/null 2>&1 || {
    echo "fuzz: this needs a nightly toolchain and cargo-fuzz:" >&2
    echo "fuzz:   rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 1
}

seeds=$(mktemp -d)
trap 'rm -r "$seeds"' EXIT
"$cargo" +nightly run --locked --quiet --manifest-path fuzz/Cargo.toml --bin seeds -- "$seeds"
for target in "${targets[@]}"; do
    echo "== $target"
    mkdir -p "fuzz/corpus/$target"
    # Nothing that is so small may take long or much: a second and 256 MB, five times that under
    # the sanitizer, which slows down and is counted.
    "$cargo" +nightly fuzz run "$target" "fuzz/corpus/$target" "$seeds/$target" -- \
        -max_total_time="${SECONDS_EACH:-60}" -timeout=5 -malloc_limit_mb=256 \
        -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
done
