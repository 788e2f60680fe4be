#!/usr/bin/env bash
# The same rows and the same orders through our exchange and hftbacktest; writes the record beside
# this script, ends with 1 where a stated tolerance is not met. Needs the network once, for the
# packages, and the recordings under DATA (or IJK_DATA).
#
#   benches/peers/hftbacktest.sh [DATA]
set -euo pipefail
cd "$(dirname "$0")"
data="${1:-${IJK_DATA:-../../../shared/data}}"
if [ ! -d "$data/hftbacktest" ]; then
    echo "$data/hftbacktest: no recordings; name their folder" >&2
    exit 2
fi
target="${CARGO_TARGET_DIR:-$PWD/target}"
venv="${IJK_PEERS_VENV:-$target/peers-venv}"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement hftbacktest/requirements.txt
CARGO_TARGET_DIR="$target" cargo build --release --locked
exec "$venv/bin/python" hftbacktest/compare.py "$data" "$target/release/ijk-peers" results
