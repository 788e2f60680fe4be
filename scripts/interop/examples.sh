#!/usr/bin/env bash
# Runs the examples of the crate `ibapi`, as published, against the simulator on port 4002.
#
#   scripts/interop/examples.sh [FOLDER to build in, kept; default a temporary one]
#
# Copies the crate's source out of cargo's registry and builds its blocking examples unchanged. Each
# runs for 8 seconds at most: those that stream for ever are ended then, which counts as good. Fails
# if one ends by itself with an error. Examples of what is not simulated are not run.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=${1:-$(mktemp -d)}
mkdir -p "$work"
source_dir=$(cargo metadata --format-version 1 | python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(os.path.dirname(next(p["manifest_path"] for p in packages if p["name"] == "ibapi")))')
cp -r "$source_dir" "$work/ibapi"
chmod -R u+w "$work/ibapi"

# Scanners, advisors, calendars, settings and groups are not simulated; the last ones need a person,
# another port or a gateway that goes away.
skip=" scanner_parameters scanner_subscription_active_stocks scanner_subscription_complex_orders
request_fa replace_fa wsh_metadata wsh_event_data_by_contract wsh_event_data_by_filter config
update_config group_events verify_handshake connection_monitoring stream_retry breakout "

examples=()
for file in "$work"/ibapi/examples/sync/*.rs; do
    name=$(basename "$file" .rs)
    [[ $skip =~ [[:space:]]$name[[:space:]] ]] || examples+=("$name")
done
flags=()
for name in "${examples[@]}"; do flags+=(--example "$name"); done
CARGO_TARGET_DIR=$work/target cargo build --manifest-path "$work/ibapi/Cargo.toml" \
    --no-default-features --features sync "${flags[@]}"
cargo build --release -p ijk-twsim
simulator=${CARGO_TARGET_DIR:-target}/release/ijk-twsim
"$simulator" --port 4002 --speed 20 --messages-per-s 0 > /dev/null &
pid=$!
trap 'kill $pid' EXIT
sleep 2

failed=0
for name in "${examples[@]}"; do
    code=0
    timeout 8 "$work/target/debug/examples/$name" > "$work/out" 2>&1 < /dev/null || code=$?
    case $code in
        0) verdict=ended ;;
        124) verdict=streams ;;
        *) verdict="FAILED with $code: $(tail -n 1 "$work/out")"; failed=1 ;;
    esac
    printf '%-36s %5d lines  %s\n' "$name" "$(wc -l < "$work/out")" "$verdict"
done
exit $failed
