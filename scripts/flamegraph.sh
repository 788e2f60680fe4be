#!/usr/bin/env bash
# Where the kernel thread's time goes: flame graphs of a synthetic session with the ensemble, whole
# and without what the encoder takes.
#
#   scripts/flamegraph.sh [FOLDER]
#
# Needs perf (apt-get install linux-perf); samples by the CPU clock, so it works without counters
# of the processor, as in a virtual machine. Inlined functions count as those they stand in.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-docs}"
target="${CARGO_TARGET_DIR:-$PWD/target}"
command -v perf > /dev/null || { echo "no perf: apt-get install linux-perf" >&2; exit 2; }
cargo build --release --locked --workspace --bin ijk
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

run="live --feed synth:5:390"
# The stacks are deep, the encoder's frame wide.
# shellcheck disable=SC2086
perf record --quiet --event cpu-clock --freq 1999 --call-graph dwarf,32768 \
    --output "$folder/perf.data" -- \
    "$target/release/ijk" $run --out "$folder/run" --json > /dev/null
perf script --no-inline --comm ijk-kernel --input "$folder/perf.data" > "$folder/samples" \
    2> /dev/null
python3 scripts/flamegraph.py "ijk $run: the kernel thread" Driver \
    < "$folder/samples" > "$out/flame-kernel.svg"
python3 scripts/flamegraph.py "ijk $run: the kernel thread outside of the encoder" Driver \
    Encoder::step < "$folder/samples" > "$out/flame-no-encoder.svg"
echo "$out/flame-kernel.svg $out/flame-no-encoder.svg"
