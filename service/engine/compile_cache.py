"""CompileCache: the folder in which torch.compile keeps its code from one start to the next.

TORCHINDUCTOR_CACHE_DIR, where it is set
~/.cache/ich-serve/inductor, if it is ours alone; torch loads machine code from there, and its own
default below /tmp has a name that anybody could take first
a temporary folder of this process where neither is possible (read-only systems): no cache, no harm
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from pathlib import Path

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"  # torch's own
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def use_cache() -> Path:
    """Choose the folder and tell torch, by its environment variable; a second call changes nothing.

    Raises:
        OSError: not even a temporary folder can be made.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    folder = _kept() or _temporary()
    os.environ[VARIABLE] = str(folder)
    return folder


def _kept() -> Path | None:
    """The folder in the user's cache, made if need be; None where it is not ours alone."""
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(cache) / "ich-serve" / "inductor"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if is_private(folder) and os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None


def is_private(folder: Path) -> bool:
    """Whether a folder is a real one, belongs to this user, and is closed to everybody else."""
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return ours and not found.st_mode & _OTHERS


def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="ich-inductor-")  # open to its owner alone
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
