#!/usr/bin/env bash
# Fuzzes every decoder of foreign bytes, and the books.
#
#   scripts/fuzz.sh [SECONDS a target, default 10] [TARGET...]
#
# Builds the targets of tests/fuzz with AddressSanitizer, overflow checks and debug assertions on
# the workspace's own toolchain; installs cargo-fuzz where it is missing. Then, for each target:
#   1. plants a canary in its seed `good`: the harness must decode it and say so, or it is dead;
#   2. fuzzes from tests/fuzz/seeds/TARGET and what earlier runs found (tests/fuzz/corpus/TARGET).
# With IJK_FUZZ_SEED set, libFuzzer starts from that seed: a change is judged by the same inputs
# each time, while campaigns go where they have not been.
# Fails on a crash, an input of more than 10 s or 2 GiB, or a dead harness, and prints the command
# that replays the input. Ends with a table of what was run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
shift || true
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: scripts/fuzz.sh [SECONDS] [TARGET...]" >&2
    exit 2
fi
fuzz=tests/fuzz
# The binaries are looked for there, whatever the caller builds into.
export CARGO_TARGET_DIR=$PWD/$fuzz/target
# Takes the sanitizer's flags on a stable toolchain.
export RUSTC_BOOTSTRAP=1
# Rust's own statics look like doubly defined ones to the sanitizer.
export ASAN_OPTIONS=detect_odr_violation=0

command -v cargo-fuzz >/dev/null || nice cargo install cargo-fuzz --locked
targets=("$@")
[[ $# -gt 0 ]] || mapfile -t targets < <(cargo fuzz list --fuzz-dir $fuzz)
one=()
[[ ${#targets[@]} -ne 1 ]] || one=("${targets[@]}")
nice cargo fuzz build --fuzz-dir $fuzz --codegen-units 16 "${one[@]}"
bin=$fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Longest input: what the seeds need and their repetition.
max_len() {
    case $1 in
        weights) echo 16384 ;;
        book) echo 1024 ;;
        feed_spec | gateway) echo 256 ;;
        *) echo 8192 ;;
    esac
}

# Succeeds if the harness decodes the planted seed.
alive() {
    { printf 'IJK-FUZZ-CANARY\n'; cat "$fuzz/seeds/$1/good"; } > "$scratch/canary"
    ! IJK_FUZZ_CANARY=1 "$bin/$1" -artifact_prefix="$scratch/" "$scratch/canary" \
        > "$scratch/out" 2>&1 && grep -q 'canary: [1-9][0-9]* decoded' "$scratch/out"
}

fuzz_one() {
    mkdir -p "$fuzz/corpus/$1" "$fuzz/artifacts/$1"
    "$bin/$1" "$fuzz/corpus/$1" "$fuzz/seeds/$1" -max_total_time="$seconds" -timeout=10 \
        ${IJK_FUZZ_SEED:+"-seed=$IJK_FUZZ_SEED"} \
        -rss_limit_mb=2048 -max_len="$(max_len "$1")" -print_final_stats=1 \
        -artifact_prefix="$fuzz/artifacts/$1/" > "$scratch/out" 2>&1
}

table=()
failed=0
for target in "${targets[@]}"; do
    if ! alive "$target"; then
        tail -n 20 "$scratch/out" >&2
        echo "$target: the harness does not decode its own seed 'good'" >&2
        failed=1
        continue
    fi
    verdict=ok
    if ! fuzz_one "$target"; then
        verdict=FAILED
        failed=1
        grep -v '^#' "$scratch/out" | tail -n 60 >&2
        found=$(sed -n 's/.*Test unit written to //p' "$scratch/out" | tail -n 1)
        echo "$target: replay with" >&2
        echo "  ASAN_OPTIONS=$ASAN_OPTIONS $bin/$target -rss_limit_mb=2048 ${found:-?}" >&2
    fi
    stat() { sed -n "s/^stat::$1: *//p" "$scratch/out"; }
    runs=$(stat number_of_executed_units)
    rate=$(stat average_exec_per_sec)
    coverage=$(grep -o ' cov: [0-9]*' "$scratch/out" | tail -n 1 | tr -dc '0-9' || true)
    table+=("$target ${runs:--} ${rate:--} ${coverage:--} $verdict")
done

format='%-14s %12s %10s %10s  %s\n'
# shellcheck disable=SC2059
printf "$format" target executions execs/s coverage verdict
for row in ${table[@]+"${table[@]}"}; do
    # shellcheck disable=SC2059,SC2086
    printf "$format" $row
done
exit $failed
