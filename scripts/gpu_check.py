"""The table and the record of scripts/gpu-check.sh.

    python3 scripts/gpu_check.py OURS.json RECORD.json COMMIT

Measures, where PyTorch with CUDA is installed, the same encoder in fp16 with random weights as a
window recomputed at every token: eager, CUDA graphs, compiled; and, where ONNX Runtime is installed
with their providers, in ONNX Runtime on CUDA and TensorRT, input and output on the device. The
floor is bytes a step by the bandwidth of a copy on the device, measured here where PyTorch is, else
not stated.
"""

import datetime
import io
import json
import os
import statistics
import sys
import time

TOLERANCE = 2e-3  # kernel/infer/tests/emulation.rs
TAKEN_MAX = 1.05  # of the plan
WARM_UP, STEPS = 50, 1000
RUNTIME_PROVIDERS = {
    "CUDAExecutionProvider": "onnx_us",
    "TensorrtExecutionProvider": "tensorrt_us",
}


def encoder():
    """The encoder as a module of PyTorch: windows (n, 64, 12) to the last token's outputs."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = torch.nn.LayerNorm(64), torch.nn.LayerNorm(64)
            self.qkv, self.out = torch.nn.Linear(64, 192), torch.nn.Linear(64, 64)
            self.ff1, self.ff2 = torch.nn.Linear(64, 256), torch.nn.Linear(256, 64)
            self.bias = torch.nn.Parameter(torch.zeros(8, 64, 64))

        def forward(self, x):
            n = x.shape[0]
            q, k, v = self.qkv(self.norm1(x)).view(n, 64, 3, 8, 8).permute(2, 0, 3, 1, 4)
            mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, self.bias[None])
            x = x + self.out(mixed.transpose(1, 2).reshape(n, 64, 64))
            hidden = torch.nn.functional.gelu(self.ff1(self.norm2(x)), approximate="tanh")
            return x + self.ff2(hidden)

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            blocks = [Block() for _ in range(6)]
            self.body = torch.nn.Sequential(
                torch.nn.Linear(12, 64), *blocks, torch.nn.LayerNorm(64)
            )
            self.head = torch.nn.Linear(64, 20)

        def forward(self, x):
            return self.head(self.body(x)[:, -1])

    return Encoder().half().eval()


def runtime_rows(batches, providers=RUNTIME_PROVIDERS, device="cuda", width=16):
    """Median microseconds of ONNX Runtime for each batch by provider, and what was measured."""
    try:
        import numpy
        import onnxruntime
        import torch
    except ImportError as error:
        return {}, f"no ONNX Runtime ({error})"
    there = [p for p in providers if p in onnxruntime.get_available_providers()]
    if not there:
        return {}, f"ONNX Runtime {onnxruntime.__version__} has none of {', '.join(providers)}"
    kind = torch.half if width == 16 else torch.float
    model, file = encoder().to(kind), io.BytesIO()
    axes = {"x": {0: "n"}, "y": {0: "n"}}
    torch.onnx.export(
        model, torch.zeros(2, 64, 12, dtype=kind), file, input_names=["x"], output_names=["y"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )
    rows = {}
    for provider in there:
        options = {"trt_fp16_enable": True} if provider.startswith("Tensorrt") else {}
        session = onnxruntime.InferenceSession(
            file.getvalue(), providers=[(provider, options)]
        )
        for batch in sorted(set(batches)):
            x = numpy.random.default_rng(1).standard_normal((batch, 64, 12))
            x = x.astype(f"float{width}")
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x, device))
            binding.bind_output("y", device)
            times = []
            for n in range(WARM_UP + STEPS):
                start = time.perf_counter()
                session.run_with_iobinding(binding)
                binding.synchronize_outputs()
                if n >= WARM_UP:
                    times.append((time.perf_counter() - start) * 1e6)
            rows.setdefault(batch, {})[providers[provider]] = statistics.median(times)
    return rows, f"ONNX Runtime {onnxruntime.__version__} ({', '.join(there)})"


def torch_rows(batches):
    """Median microseconds of PyTorch's ways for each batch, and the copy bandwidth."""
    try:
        import torch
    except ImportError:
        return {}, None, "PyTorch is not installed"
    if not torch.cuda.is_available():
        return {}, None, "this PyTorch has no CUDA"
    forward = encoder().cuda()

    def timed(step):
        times = []
        for n in range(WARM_UP + STEPS):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            step()
            end.record()
            end.synchronize()
            if n >= WARM_UP:
                times.append(start.elapsed_time(end) * 1e3)
        return statistics.median(times)

    rows = {}
    with torch.inference_mode():
        compiled = torch.compile(forward, mode="max-autotune-no-cudagraphs")
        for batch in sorted(set(batches)):
            x = torch.randn(batch, 64, 12, device="cuda", dtype=torch.half)
            side = torch.cuda.Stream()
            with torch.cuda.stream(side):
                forward(x)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                forward(x)
            rows[batch] = {
                "eager_us": timed(lambda: forward(x)),
                "graphs_us": timed(graph.replay),
                "compiled_us": timed(lambda: compiled(x)),
            }
        source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
        target = torch.empty_like(source)
        bandwidth = 2 * source.numel() / (timed(lambda: target.copy_(source)) * 1e-6)
    return rows, bandwidth, f"PyTorch {torch.__version__}"


def main():
    ours = json.load(open(sys.argv[1]))
    rows = ours["results"]
    batches = [r["members"] * r["symbols"] for r in rows]
    torch_by_batch, bandwidth, torch_note = torch_rows(batches)
    runtime_by_batch, runtime_note = runtime_rows(batches)
    note = f"{torch_note}; {runtime_note}"
    faults = []
    print(f"{ours['device']} (compute capability {ours['architecture'] / 10}), {note}")
    print(
        f"{'members':>7} {'symbols':>7} {'p50 us':>8} {'p99':>8} {'p99.9':>8} {'CPU p50':>9} "
        f"{'floor':>7} {'eager':>8} {'graphs':>8} {'compiled':>8} {'onnx':>8} {'trt':>8} "
        f"{'diff':>8} {'MB':>7} {'plan':>7}"
    )
    for r in rows:
        for found in (torch_by_batch, runtime_by_batch):
            r.update(found.get(r["members"] * r["symbols"], {}))
        r["floor_us"] = r["bytes_a_step"] / bandwidth * 1e6 if bandwidth else None
        used = r["before_bytes"] + r["taken_bytes"]
        shown = [
            r.get(key)
            for key in (
                "floor_us", "eager_us", "graphs_us", "compiled_us", "onnx_us", "tensorrt_us"
            )
        ]
        floor, *others = ["-" if v is None else f"{v:.1f}" for v in shown]
        ways = " ".join(f"{v:>8}" for v in others)
        print(
            f"{r['members']:>7} {r['symbols']:>7} {r['p50_ns'] / 1e3:>8.1f} "
            f"{r['p99_ns'] / 1e3:>8.1f} {r['p999_ns'] / 1e3:>8.1f} "
            f"{r['processor_p50_ns'] / 1e3:>9.1f} {floor:>7} {ways} "
            f"{r['largest_difference']:>8.1e} {used / 1e6:>7.0f} {r['plan_bytes'] / 1e6:>7.0f}"
        )
        name = f"{r['members']} members, {r['symbols']} symbols"
        if not r["largest_difference"] < TOLERANCE:
            faults.append(f"{name}: differs from the processor by {r['largest_difference']}")
        if r["taken_bytes"] > TAKEN_MAX * r["plan_bytes"]:
            faults.append(f"{name}: takes more than the plan")
    document = {
        "device": ours["device"],
        "architecture": ours["architecture"],
        "date": datetime.date.today().isoformat(),
        "commit": sys.argv[3],
        "beside": note,
        "copy_bytes_per_s": bandwidth,
        "tolerance": TOLERANCE,
        "results": rows,
        "faults": faults,
    }
    partial = sys.argv[2] + ".partial"
    with open(partial, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    os.replace(partial, sys.argv[2])
    print(f"record: {sys.argv[2]}")
    for fault in faults:
        print(f"gpu_check.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
