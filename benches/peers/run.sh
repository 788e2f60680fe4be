#!/usr/bin/env bash
# Sets up every peer, runs all of them and us by turns on the same work, and prints ratios with
# their bars. What cannot be set up is named with its reason, and the rest goes on.
#
#   benches/peers/run.sh [DATA]
#
# Needs the network once: packages of PyPI and crates (about 7 GB, nearly all of it PyTorch; ten
# minutes and more of building). IJK_PEERS_TORCH names a Python that has PyTorch already.
# IJK_PEERS_ONLY=encoder or replay runs one part. IJK_PEERS_FIFO=1 runs the measured programs in
# real-time order (root), which keeps other load off the core and takes it away from that load.
# Records: results/DATE-MACHINE-encoder.json and -replay.json, each with a table beside it.
set -uo pipefail
cd "$(dirname "$0")"
data="${1:-${IJK_DATA:-../../../shared/data}}"
target="${CARGO_TARGET_DIR:-$PWD/target}"
setup="${IJK_PEERS_SETUP:-$target/peers}"
only="${IJK_PEERS_ONLY:-encoder replay}"
weights="${IJK_PEERS_WEIGHTS:-../../models/weights/synth-5x.safetensors}"
work="$setup/work"
mkdir -p "$work" results
declare -A missing=()
export CARGO_TARGET_DIR="$target" IJK_COMMIT
IJK_COMMIT="$(git rev-parse --short HEAD)"

# venv NAME PYTHON: a virtual environment with the packages of NAME/requirements.txt or
# encoder/NAME.txt.
venv() {
    local requirements="encoder/$1.txt"
    [ -f "$requirements" ] || requirements="$1/requirements.txt"
    if ! command -v "$2" > /dev/null; then
        missing[$1]="no $2"
        return 1
    fi
    [ -x "$setup/$1/bin/python" ] || "$2" -m venv "$setup/$1"
    if ! "$setup/$1/bin/pip" install --quiet --requirement "$requirements" 2> "$work/$1.log"; then
        missing[$1]="pip: $(tail -n 1 "$work/$1.log")"
        return 1
    fi
}

# crate FOLDER: builds a crate with its own lock file.
crate() {
    if ! (cd "$1" && cargo build --release --locked) 2> "$work/$1.log"; then
        missing[$1]="cargo: $(grep -m 1 '^error' "$work/$1.log" || tail -n 1 "$work/$1.log")"
        return 1
    fi
}

reasons() {
    local name
    for name in "${!missing[@]}"; do
        printf '%s\t%s\n' "$name" "${missing[$name]}"
    done > "$work/missing.tsv"
    cat "$work/missing.tsv" >&2
}

cargo build --release --locked || exit 2
name="$(date +%F)-$(python3 -c 'import turns; print(turns.machine().replace(" ", "-").lower())')"
code=0

if [[ " $only " == *" encoder "* ]]; then
    venv engines python3 || { echo "${missing[engines]}" >&2; exit 2; }
    "$setup/engines/bin/python" encoder/export.py "$weights" "$work/model" || exit 2
    peers=("ours=$target/release/ijk-peers-encoder $weights $work/model/tokens.json"
        "onnxruntime=$setup/engines/bin/python encoder/ort.py $work/model"
        "openvino=$setup/engines/bin/python encoder/vino.py $work/model")
    torch="${IJK_PEERS_TORCH:-}"
    [ -n "$torch" ] || { venv torch python3 && torch="$setup/torch/bin/python"; }
    [ -z "$torch" ] || peers+=("pytorch=$torch encoder/pytorch.py $work/model")
    crate tract && peers+=("tract=$target/release/ijk-peers-tract $work/model")
    reasons
    "$setup/engines/bin/python" encoder/compare.py "$weights" "results/$name-encoder.json" \
        "$work/missing.tsv" "$work/model" "${peers[@]}" || code=1
fi

if [[ " $only " == *" replay "* ]]; then
    rows="usdm/btcusdt_20240808.gz"
    if [ ! -f "$data/hftbacktest/$rows" ]; then
        echo "$data/hftbacktest/$rows: no recording; name the folder of the data" >&2
        exit 2
    fi
    python3 recorded.py filter "$data/hftbacktest/$rows" "$work/rows.gz" || exit 2
    levels="$(python3 recorded.py deltas "$work/rows.gz" 0.1 0.001 "$work/deltas.bin")" || exit 2
    count="$(python3 recorded.py count "$work/rows.gz")" || exit 2
    peers=("ours=$target/release/ijk-peers-replay binance:$work/rows.gz 0.1 0.001")
    venv hftbacktest python3 &&
        peers+=("hftbacktest=$setup/hftbacktest/bin/python hftbacktest/replay.py $work/rows.gz 0.1 0.001")
    if [ -x "$setup/hftbacktest/bin/python" ] && "$setup/hftbacktest/bin/python" \
        hftbacktest/dump.py "$work/rows.gz" 0.1 "$work/rows.bin"; then
        crate hftbacktest-rs &&
            peers+=("hftbacktest-rs=$target/release/ijk-peers-hftbacktest $work/rows.bin 0.1 0.001")
    else
        missing[hftbacktest-rs]="no rows, which the Python package writes"
    fi
    crate nautilus && peers+=("nautilus=$target/release/ijk-peers-nautilus $work/deltas.bin")
    reasons
    python3 replay.py "results/$name-replay.json" "$work/missing.tsv" "$count" "$levels" \
        "${peers[@]}" || code=1
fi
exit "$code"
