#!/usr/bin/env bash
# The device's kernel through NVIDIA's run-time compiler, without a device, driver or toolkit:
# PTX and machine code for three architectures, registers, shared memory and spills.
#
#   scripts/gpu-ptx.sh
#
# Takes libnvrtc from IJK_NVRTC (a path), or from the pinned PyPI wheel, fetched once into
# FOLDER/nvrtc of the build folder. Without Python, pip or a way to the wheel it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=nvidia-cuda-nvrtc-cu12==12.9.86
skip() {
    echo "skipped: $1; the device's kernel is not compiled for devices here"
    exit 0
}

command -v python3 >/dev/null || skip "no python3"
library=${IJK_NVRTC:-}
if [[ -z $library ]]; then
    [[ $(uname -m) == x86_64 ]] || skip "the wheel is for x86-64"
    folder=${CARGO_TARGET_DIR:-target}/nvrtc
    library=$folder/nvidia/cuda_nvrtc/lib/libnvrtc.so.12
    if [[ ! -e $library ]]; then
        mkdir -p "$folder"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --timeout 20 \
            --retries 1 --only-binary=:all: --platform manylinux_2_17_x86_64 \
            --platform manylinux2010_x86_64 -d "$folder" "$wheel" >"$folder/log" 2>&1 ||
            skip "no $wheel ($(tail -n 1 "$folder/log"))"
        python3 -m zipfile -e "$folder"/nvidia_cuda_nvrtc*.whl "$folder"
        rm "$folder"/nvidia_cuda_nvrtc*.whl
    fi
fi
# What the library loads by name lies beside it.
LD_LIBRARY_PATH=$(dirname "$library")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
# With the features of the whole workspace, so that nothing of it is compiled a second time.
cargo build --release --locked --quiet --workspace --example device_source
"${CARGO_TARGET_DIR:-target}/release/examples/device_source" "$sources"
python3 scripts/gpu_ptx.py "$library" "$sources"
