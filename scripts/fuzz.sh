#!/bin/bash
# fuzz.sh [TARGET]...  feeds each target of fuzz/ with hostile bytes for SECONDS_EACH seconds (60), as
# many at a time as there are processors; default: all targets. Names the file that makes one fail.
#
# With a nightly toolchain and cargo-fuzz, that is under the address sanitizer, and what was found
# interesting stays in fuzz/corpus. Without, or with FUZZ=stable, libFuzzer does without sanitizers on
# the toolchain that builds pytrace. FUZZ=short is that from the seeds alone and with the same random
# numbers each time: a test.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=("$@")
[ $# -gt 0 ] || targets=(http plan records texts trace_file values)
seconds=${SECONDS_EACH:-60}
cargo=$(command -v cargo)
host=$(rustc -vV | sed -n 's/^host: //p')
kind=${FUZZ:-}
if [ -z "$kind" ]; then
    kind=stable
    if "$cargo" +nightly fuzz --version >/dev/null 2>&1; then kind=nightly; fi
fi

# Nothing that is so small may take long or much. Without a sanitizer it is only seen what all takes.
limits=(-timeout=5 -malloc_limit_mb=256 -rss_limit_mb=2048 -max_len=65536)
options=()
case $kind in
    nightly)
        echo "fuzz: with cargo-fuzz and the address sanitizer"
        "$cargo" +nightly fuzz build --target-dir target/fuzz-nightly >&2
        programs=target/fuzz-nightly/$host/release
        ;;
    stable | short)
        echo "fuzz: without sanitizers (cargo install cargo-fuzz, on nightly, for these)"
        # What cargo-fuzz does, but for the sanitizer. Build scripts are none of it: --target.
        coverage=(-level=4 -inline-8bit-counters -pc-table -trace-compares)
        flags="--cfg fuzzing -Cpasses=sancov-module"
        for flag in "${coverage[@]}"; do flags+=" -Cllvm-args=-sanitizer-coverage$flag"; done
        RUSTFLAGS=$flags "$cargo" build --locked --quiet --release --bins --target "$host" \
            --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
        programs=target/fuzz/$host/release
        ;;
    *) echo "fuzz: FUZZ is none of nightly, stable, short" >&2; exit 2 ;;
esac
[ "$kind" != short ] || options+=(-seed=1)

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

fuzz() {
    local target=$1 corpus=fuzz/corpus/$1 artifacts=fuzz/artifacts/$1/
    [ "$kind" != short ] || corpus=$scratch/$target.corpus
    mkdir -p "$corpus" "$artifacts"
    if "$programs/$target" "$corpus" "fuzz/seeds/$target" "${limits[@]}" "${options[@]}" \
        -max_total_time="$seconds" -artifact_prefix="$artifacts" -print_final_stats=1 \
        >"$scratch/$target.log" 2>&1; then
        printf '%-12s %s\n' "$target" "$(sed -n 's/^Done \(.*\)/\1/p' "$scratch/$target.log")"
    else
        tail -n 60 "$scratch/$target.log"
        echo "fuzz: $target fails" >&2
        return 1
    fi
}

failed=0
running=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
