"""Content: hashes of what files hold and of the code that decodes them, for the cache key.

A file that has kept its size, times and inode is not read again: its hash is looked up in an
index. The key itself is made of content alone, so a copied or touched folder keeps its cache.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import service.dicom
import service.types
from model_build.adapters.workers import spread

_DIGEST = 16  # bytes

Stat = list[int]


def file_hashes(paths: Sequence[Path], index: Path, workers: int) -> list[str]:
    """BLAKE2b of each file, in order; `index` (JSON) remembers them between calls.

    Raises:
        FileNotFoundError: a file does not exist.
    """
    known: dict[str, tuple[Stat, str]] = {}
    if index.exists():
        known = json.loads(index.read_text(encoding="utf-8"))
    stats = {path: _stat(path) for path in dict.fromkeys(paths)}
    fresh = [path for path, stat in stats.items() if known.get(str(path), [[]])[0] != stat]
    for path, digest in zip(fresh, spread(_hash, fresh, workers), strict=True):
        known[str(path)] = (stats[path], digest)
    if fresh:
        index.parent.mkdir(parents=True, exist_ok=True)
        draft = index.with_suffix(".partial")
        draft.write_text(json.dumps(known), encoding="utf-8")
        draft.replace(index)
    return [known[str(path)][1] for path in paths]


def _stat(path: Path) -> Stat:
    # The change time cannot be set back by a copy that keeps the modification time.
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=_DIGEST).hexdigest()


def decoder_version() -> str:
    """Hash of the code that turns files into voxels, 8 hex digits.

    Over the syntax trees of the whole DICOM room and of the adapters: nobody has to remember to
    raise a number, and comments and layout change nothing.
    """
    rooms = [Path(service.dicom.__file__).parent, Path(__file__).parent]
    files = [Path(service.types.__file__)]
    files += [path for room in rooms for path in sorted(room.glob("*.py"))]
    return version_of([path.read_text(encoding="utf-8") for path in files])


def version_of(sources: Sequence[str]) -> str:
    """Hash of the syntax trees of some modules, 8 hex digits."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(ast.dump(ast.parse(source)).encode())
    return digest.hexdigest()[:8]
