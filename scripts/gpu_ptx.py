"""Compiles the device's kernel with NVRTC, without a device, a driver or a toolkit.

    scripts/gpu-ptx.sh

Called by that script with the library and a folder of sources (step-TILE.cu). For each tile and
architecture: PTX as the engine makes it at start, then machine code, whose registers, shared
memory and spills must stay within the limits below. Prints one line each; exit code 1 for a fault.
"""

import ctypes
import pathlib
import re
import sys

ARCHITECTURES = (86, 89, 90)
REGISTERS_MAX = 128  # two blocks of 256 threads share the 65,536 registers of a multiprocessor
SHARED_BYTES_MAX = 48 * 1024  # what a block has without asking for more


def check(library, program, code, what):
    if code == 0:
        return
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    said = library.nvrtcGetErrorString(code).decode()
    raise SystemExit(f"{what}: {said}\n{log_of(library, program)}")


def text_of(library, program, size_of, get):
    size = ctypes.c_size_t()
    if size_of(program, ctypes.byref(size)) != 0:
        return b""
    buffer = ctypes.create_string_buffer(size.value)
    get(program, buffer)
    return buffer.raw


def log_of(library, program):
    log = text_of(library, program, library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog)
    return log.rstrip(b"\0").decode()


def compiled(library, source, options):
    """Returns PTX, machine code and log."""
    program = ctypes.c_void_p()
    code = library.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"step.cu", 0, None, None
    )
    check(library, program, code, "create")
    array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    code = library.nvrtcCompileProgram(program, len(options), array)
    check(library, program, code, " ".join(options))
    ptx = text_of(library, program, library.nvrtcGetPTXSize, library.nvrtcGetPTX)
    machine = text_of(library, program, library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN)
    log = log_of(library, program)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return ptx.rstrip(b"\0").decode(), machine, log


def main():
    library = ctypes.CDLL(sys.argv[1])
    folder = pathlib.Path(sys.argv[2])
    common = (folder / "options").read_text().split()
    sources = sorted(folder.glob("step-*.cu"))
    if not sources:
        raise SystemExit(f"{folder}: no sources")
    major, minor = ctypes.c_int(), ctypes.c_int()
    library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    print(f"NVRTC {major.value}.{minor.value}, {' '.join(common)}")
    print(f"{'kernel':<12} {'arch':<6} {'PTX':>8} {'code':>8} {'registers':>9} {'shared':>7} spills")
    faults = []
    for path in sources:
        name = "ijk_" + path.stem.replace("-", "_")
        for arch in ARCHITECTURES:
            source = path.read_text()
            ptx, _, _ = compiled(library, source, [f"-arch=compute_{arch}", *common])
            if f".entry {name}(" not in ptx or f".target sm_{arch}" not in ptx:
                faults.append(f"{name} sm_{arch}: the PTX has no such function")
            verbose = [f"-arch=sm_{arch}", *common, "--ptxas-options=-v"]
            _, machine, log = compiled(library, source, verbose)
            used = re.search(r"Used (\d+) registers", log)
            shared = re.search(r"(\d+) bytes smem", log)
            spilt = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
            if not (machine[:4] == b"\x7fELF" and used and shared and spilt):
                faults.append(f"{name} sm_{arch}: no machine code or no account of it: {log}")
                continue
            registers, shared, spills = int(used[1]), int(shared[1]), int(spilt[1]) + int(spilt[2])
            print(
                f"{name:<12} sm_{arch:<3} {len(ptx):>8} {len(machine):>8} {registers:>9} "
                f"{shared:>7} {spills}"
            )
            if registers > REGISTERS_MAX or shared > SHARED_BYTES_MAX or spills:
                faults.append(f"{name} sm_{arch}: beyond the limits")
    for fault in faults:
        print(f"gpu_ptx.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
