#!/usr/bin/env bash
# What the kernel's threads share, in every order: loom, shuttle, ThreadSanitizer.
#
#   scripts/concurrency.sh [quick|full]        quick is the default
#
# Builds tests/concurrency, whose models run the product's own source, and then
#   1. goes through all orders of each model's steps that loom's bounds allow;
#   2. runs random schedules of larger sizes with shuttle, from seed IJK_SHUTTLE_SEED (default 1);
#   3. runs the real threads under ThreadSanitizer, on the workspace's own toolchain.
# Each checker must find the weakenings planted for it. Prints one line a model and a weakening;
# fails on anything else, shuttle with the schedule that `ijk-shuttle replay` runs again.
# CARGO_TARGET_DIR moves the build (default tests/concurrency/target).
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-quick} in
    quick) preemptions=2 seconds=12 schedules=4000 rounds=2 ;;
    full) preemptions=3 seconds=600 schedules=70000 rounds=40 ;;
    *)
        echo "usage: scripts/concurrency.sh [quick|full]" >&2
        exit 2
        ;;
esac
manifest=tests/concurrency/Cargo.toml
target=${CARGO_TARGET_DIR:-$PWD/tests/concurrency/target}
export CARGO_TARGET_DIR=$target
host=$(rustc -vV | sed -n 's/^host: //p')
build() { nice cargo build --quiet --locked --manifest-path "$manifest" -j2 "$@"; }
failed=0

build --release --features loom --bin ijk-loom
"$target/release/ijk-loom" $preemptions $seconds || failed=1
build --release --features shuttle --bin ijk-shuttle
"$target/release/ijk-shuttle" $schedules "${IJK_SHUTTLE_SEED:-1}" || failed=1

# Takes the sanitizer's flags on a stable toolchain.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target/tsan
export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
build --profile sanitized --features real --bin ijk-threads --target "$host"
threads=$target/tsan/$host/sanitized/ijk-threads
said=$(TSAN_OPTIONS=exitcode=66 "$threads" planted 2>&1) && status=0 || status=$?
if [[ $status -eq 66 && $said == *'data race'* ]]; then
    echo 'found   planted two plain writers     ThreadSanitizer: data race'
else
    echo "MISSED  planted two plain writers (exit $status)"
    failed=1
fi
TSAN_OPTIONS="exitcode=66 halt_on_error=1 suppressions=$PWD/tests/concurrency/tsan.supp" "$threads" $rounds || failed=1
exit $failed
