#!/usr/bin/env bash
# Runs the examples of the crate `ibapi`, as published, against the simulator on port 4002.
#
#   scripts/interop/examples.sh [FOLDER to build in, kept; default a temporary one]
#
# Copies the crate's source out of cargo's registry and builds its blocking examples unchanged. Each
# runs for 8 seconds at most: those that stream for ever are ended then, which counts as good. What
# does not end well, and why, is listed in examples.expected; exit 0 if that list is right, line by
# line. Examples of what is not simulated are in the list too, and are not run.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=${1:-$(mktemp -d)}
mkdir -p "$work"
source_dir=$(cargo metadata --format-version 1 | python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(os.path.dirname(next(p["manifest_path"] for p in packages if p["name"] == "ibapi")))')
[ -d "$work/ibapi" ] || cp -r "$source_dir" "$work/ibapi"
chmod -R u+w "$work/ibapi"

expected=scripts/interop/examples.expected
declare -A want
while read -r name how _; do
    case $name in '' | '#'*) ;; *) want[$name]=$how ;; esac
done < "$expected"

# What the examples want to be told.
export IBKR_ACCOUNT=DU0000001
declare -A arguments=(
    [cancel_orders]="--order_id 1"
    [head_timestamp]=AAPL [historical_data]=AAPL [historical_data_adjusted]=AAPL
    [historical_data_recent]=AAPL [historical_schedules]=AAPL [historical_schedules_ending_now]=AAPL
    [historical_ticks_bid_ask]="20250303T14:31:00Z AAPL"
    [historical_ticks_mid_point]="20250303T14:31:00Z AAPL"
    [historical_ticks_trade]="20250303T14:31:00Z AAPL"
    [orders]=completed [place_order]="--stock AAPL --buy 10"
    [pnl]="--account DU0000001" [pnl_single]="--account DU0000001 --contract_id 265598"
    [smart_components]=9c0001 [stream_bars]="--stock AAPL"
)

examples=()
for file in "$work"/ibapi/examples/sync/*.rs; do
    name=$(basename "$file" .rs)
    [[ ${want[$name]:-} == not-run ]] || examples+=("$name")
done
flags=()
for name in "${examples[@]}"; do flags+=(--example "$name"); done
CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$work/target cargo build \
    --manifest-path "$work/ibapi/Cargo.toml" --no-default-features --features sync "${flags[@]}"
cargo build --release -p ijk-twsim
simulator=${CARGO_TARGET_DIR:-target}/release/ijk-twsim
"$simulator" --port 4002 --speed 20 --messages-per-s 0 --feed synth:1:390:7 \
    --symbols AAPL,MSFT,TSLA,NVDA,SPY,GM,AMZN > /dev/null &
pid=$!
trap 'kill $pid' EXIT
sleep 2

wrong=0
for name in "${examples[@]}"; do
    code=0
    # Arguments are words.
    # shellcheck disable=SC2086
    timeout 8 "$work/target/debug/examples/$name" ${arguments[$name]:-} \
        > "$work/out" 2>&1 < /dev/null || code=$?
    case $code in
        0) verdict=ended how= ;;
        124) verdict=streams how= ;;
        *) verdict="fails with $code: $(grep -m 1 'code: \|\[[0-9]*\]' "$work/out")"
            how=fails ;;
    esac
    if [[ ${want[$name]:-} != "$how" ]]; then
        verdict="$verdict  (NOT AS LISTED: ${want[$name]:-ends or streams})"
        wrong=1
    fi
    printf '%-36s %5d lines  %s\n' "$name" "$(wc -l < "$work/out")" "$verdict"
done
exit $wrong
