"""Build: compile the native library with the compiler found on PATH, for every instruction set.

src/*.cpp ── one object each: the variants with the flags of their instruction set, the rest with
none ──> built/ich_native_<hash of sources and flags>.so, without a variant that is too young for
the compiler

`python -m service.engine.native.build` does nothing where the library is up to date, and says so
in one line where there is no compiler: the service runs without it, on the torch engine.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
BUILT = Path(__file__).parent / "built"
COMPILERS: tuple[str, ...] = ("c++", "g++", "clang++")
TIMEOUT_S = 900.0  # for one object, on a machine that is busy with other work

COMMON: tuple[str, ...] = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread")
# No contraction: which products are fused is written in the kernels. No exceptions: their tables
# are shared between objects, and nothing may be shared between two instruction sets.
VARIANT: tuple[str, ...] = ("-ffp-contract=off", "-fno-exceptions", "-fno-rtti")
AVX512: tuple[str, ...] = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma")
AMX: tuple[str, ...] = ("-mavx512bf16", "-mamx-tile", "-mamx-bf16")
# Too young for some compilers that build all the rest; api.cpp then finds them missing.
OPTIONAL: frozenset[str] = frozenset({"amx", "amx_bf16"})
OBJECTS: Mapping[str, tuple[str, ...]] = {
    "avx2": (*VARIANT, "-mavx2", "-mfma"),
    "avx512": (*VARIANT, *AVX512),
    "avx512_bf16": (*VARIANT, *AVX512, "-mavx512bf16"),
    "amx": (*VARIANT, *AVX512, *AMX),
    "amx_bf16": (*VARIANT, *AVX512, *AMX),
    "processor": (),
    "team": (),
    "api": (),
}
# Static: the library then runs on systems with an older C++ runtime, and on those without one.
LINK: tuple[str, ...] = ("-shared", "-pthread", "-static-libstdc++", "-static-libgcc")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build came to: the library, or None and the reason; `changed` when it was compiled."""

    library: Path | None
    text: str
    changed: bool = False
    failed: bool = False  # there is a compiler, and it refused the sources


def expected_library() -> Path:
    """Where the library of exactly these sources and flags lies, once it is built.

    An old library has another name and is never loaded with new code.
    """
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(repr((COMMON, sorted(OBJECTS.items()), LINK)).encode())
    return BUILT / f"ich_native_{digest.hexdigest()[:16]}.so"


def find_compiler() -> str | None:
    """The C++ compiler of this machine; None where there is none."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def build() -> Outcome:
    """Compile the library unless it is up to date; older ones are removed. Never raises."""
    target = expected_library()
    if target.exists():
        return Outcome(target, "native engine: up to date")
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return Outcome(None, "native engine: not built, it is for Linux on x86-64")
    compiler = find_compiler()
    if compiler is None:
        names = ", ".join(COMPILERS)
        return Outcome(None, f"native engine: not built, no C++ compiler on PATH ({names})")
    try:
        without = _compile(compiler, target)
    except subprocess.CalledProcessError as error:
        reason = first_error(str(error.stderr))
        return Outcome(None, f"native engine: {compiler} failed: {reason}", failed=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Outcome(None, f"native engine: not built, {type(error).__name__}", failed=True)
    for old in set(BUILT.glob("ich_native_*.so")) - {target}:
        old.unlink(missing_ok=True)
    left_out = "".join(f"; without {each}" for each in without)
    return Outcome(target, f"native engine: built with {compiler}{left_out}", changed=True)


def first_error(output: str) -> str:
    """The first line of a compiler's output that names an error."""
    lines = [line for line in output.splitlines() if "error" in line.lower()]
    return lines[0] if lines else "no reason given"


def _compile(compiler: str, target: Path) -> list[str]:
    """Compile beside the target and move it there at the end: no other process sees half a file.

    Returns what the compiler does not know, each with its reason.
    """
    BUILT.mkdir(exist_ok=True)
    without: list[str] = []
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        objects = []
        for name, flags in OBJECTS.items():
            output = str(Path(folder) / f"{name}.o")
            source = str(SOURCES / f"{name}.cpp")
            try:
                _run([compiler, *COMMON, *flags, "-c", source, "-o", output])
            except subprocess.CalledProcessError as error:
                if name not in OPTIONAL:
                    raise
                without.append(f"{name} ({first_error(str(error.stderr))})")
            else:
                objects.append(output)
        library = Path(folder) / target.name
        exports = f"-Wl,--version-script={SOURCES / 'exports.map'}"
        _run([compiler, *LINK, exports, *objects, "-o", str(library)])
        library.chmod(0o755)
        library.replace(target)
    return without


def _run(command: Sequence[str]) -> None:
    subprocess.run(  # noqa: S603 - our own flags and files, and the compiler found on PATH
        command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def main() -> int:
    """Build and say what was done, in one line; 1 when a compiler refused the sources."""
    outcome = build()
    if outcome.changed or outcome.library is None:
        (sys.stderr if outcome.failed else sys.stdout).write(outcome.text + "\n")
    return int(outcome.failed)


if __name__ == "__main__":
    sys.exit(main())
