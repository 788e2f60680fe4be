#!/usr/bin/env bash
# The encoder on this machine's CUDA device: same results as the processor, latency by batch size,
# memory against the plan, PyTorch, ONNX Runtime and TensorRT beside it, all against the floor of the
# memory's bandwidth; then the golden cases, training on it against training on the processor, and
# the decisions of a real day.
#
#   scripts/gpu-check.sh [RECORD.json]
#
# IJK_DATA names the folder of the data; without it, or without pyarrow, there is no real day.
#
# Builds (no CUDA toolkit needed), runs, prints one table and writes the record (default
# target/gpu-check.json). Needs libcuda and libnvrtc at run time; PyTorch with CUDA where there is
# one (python3, or IJK_PYTHON). Without a device it says so and ends well: nothing was checked then.
# Exit code 1 for a difference beyond the tolerance, memory beyond the plan, or a failed step.
set -euo pipefail
cd "$(dirname "$0")/.."
record=${1:-${CARGO_TARGET_DIR:-target}/gpu-check.json}
python=${IJK_PYTHON:-python3}

cargo build --release --locked --quiet -p ijk-infer --features cuda --example gpu_check
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
"${CARGO_TARGET_DIR:-target}/release/examples/gpu_check" >"$found/ours.json"
if grep -q '"device": null' "$found/ours.json"; then
    echo "no device: $(sed -n 's/^ *"why": "\(.*\)".*/\1/p' "$found/ours.json")"
    echo "nothing was checked on a device"
    exit 0
fi
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
"$python" scripts/gpu_check.py "$found/ours.json" "$record" "$commit"
cargo test --release --locked --quiet -p ijk-infer --features cuda --test device -- --nocapture
cargo test --release --locked --quiet -p ijk-models --features cuda --test cuda -- --nocapture
day="${IJK_DATA:-}/lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
if [ -f "$day" ] && "$python" -c 'import numpy, pyarrow' 2>/dev/null; then
    cargo build --release --locked --quiet -p ijk --features cuda
    for device in cpu cuda; do
        "${CARGO_TARGET_DIR:-target}/release/ijk" forecast "lobster:$day" --device "$device" \
            --out "$found/$device.parquet"
    done
    "$python" scripts/forecast_difference.py "$found/cpu.parquet" "$found/cuda.parquet"
else
    echo "no real day: it needs IJK_DATA with the LOBSTER sample, and pyarrow"
fi
