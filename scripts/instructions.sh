#!/usr/bin/env bash
# Exact gates of speed: instructions (callgrind) and allocations of each kernel over a fixed
# workload, against the counts in benches/instructions.json. Instructions may differ by 1 %, which
# is room for another C library; allocations and answers must be the same.
#
#   scripts/instructions.sh            compares; exit code 1 for a regression
#   scripts/instructions.sh --update   writes the counts of this build as the new baseline
#
# The counts belong to one compiler: with another the gate says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."
baseline=benches/instructions.json
mode="${1:-compare}"
case "$mode" in compare | --update) ;; *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
for tool in valgrind python3; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: no $tool here (Debian: apt-get install $tool); instructions are not counted"
        exit 0
    fi
done

# With the features of the whole workspace, so that nothing of it is compiled a second time.
cargo build --release --locked --quiet --workspace --bin ijk-instructions
command="${CARGO_TARGET_DIR:-target}/release/ijk-instructions"
found="$(mktemp -d)"
trap 'rm -rf "$found"' EXIT

for kernel in $("$command"); do
    valgrind --tool=callgrind --callgrind-out-file="$found/callgrind" --collect-atstart=no \
        --toggle-collect='*ijk_instructions::measured*' "$command" "$kernel" \
        >"$found/line" 2>"$found/log" || { cat "$found/log" >&2; exit 1; }
    count="$(sed -n 's/^summary: *\([0-9]*\).*/\1/p' "$found/callgrind")"
    printf '%s\t%s\n' "$(cat "$found/line")" "$count" >>"$found/all"
done

python3 - "$mode" "$baseline" "$found/all" "$(rustc --version)" <<'PY'
import json, sys

mode, baseline, found, compiler = sys.argv[1:]
TOLERANCE = 0.01
now = {}
for line in open(found):
    name, units, allocations, answer, instructions = line.rstrip("\n").split("\t")
    now[name] = {
        "units": int(units),
        "instructions": int(instructions),
        "allocations": int(allocations),
        "answer": answer,
    }
if mode == "--update":
    with open(baseline, "w") as file:
        json.dump({"compiler": compiler, "kernels": now}, file, indent=2)
        file.write("\n")
    print(f"{baseline}: {len(now)} kernels")
    sys.exit(0)

kept = json.load(open(baseline))
same_compiler = kept["compiler"] == compiler
wrong = []
print(f"{'kernel':<18} {'per unit':>10} {'baseline':>10} {'change':>8}  allocations")
for name in sorted(set(now) | set(kept["kernels"])):
    if name not in now or name not in kept["kernels"]:
        wrong.append(f"{name}: is on one side only; --update if that is meant")
        continue
    new, old = now[name], kept["kernels"][name]
    change = new["instructions"] / old["instructions"] - 1
    per = [x["instructions"] / x["units"] for x in (new, old)]
    print(f"{name:<18} {per[0]:>10.1f} {per[1]:>10.1f} {change:>+8.2%}  {new['allocations']}")
    if new["allocations"] > old["allocations"]:
        wrong.append(f"{name}: {new['allocations']} allocations, {old['allocations']} before")
    if (new["units"], new["answer"]) != (old["units"], old["answer"]):
        wrong.append(f"{name}: the work is another (units or answer); --update if that is meant")
    elif change > TOLERANCE and same_compiler:
        wrong.append(f"{name}: {change:+.2%} instructions, {TOLERANCE:.0%} allowed")
    elif change < -TOLERANCE and same_compiler:
        print(f"{name}: better than the baseline; keep it with --update")
if not same_compiler:
    print(f"counts not compared: baseline of {kept['compiler']}, this is {compiler}")
for line in wrong:
    print(f"instructions.sh: {line}", file=sys.stderr)
sys.exit(1 if wrong else 0)
PY
