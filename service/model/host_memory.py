"""Host memory: keep freed pages inside the process, which CPU convolutions need to be fast.

glibc returns every large buffer to the kernel and faults it in again at the next layer: over
200,000 page faults a forward of the paper's network. Three allocator settings stop that.
"""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt(3), glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_KEPT_BYTES = 1 << 30


def keep_freed_pages() -> bool:
    """Tell glibc to keep and reuse large buffers; call before the first forward.

    Returns:
        True where it took effect, False where the C library has no mallopt.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {
        M_MMAP_THRESHOLD: LARGEST_KEPT_BYTES,
        M_TRIM_THRESHOLD: LARGEST_KEPT_BYTES,
        M_ARENA_MAX: 1,
    }
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
