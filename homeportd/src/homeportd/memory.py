"""Memory of the process that nothing uses any more, given back to the system."""

from __future__ import annotations

import ctypes
import gc


def settle() -> None:
    """Give back what start-up freed, and let the garbage collector pass over what start-up made.

    What lives when this is called lives as long as the process. glibc keeps freed pages between used ones (3 MB
    after the imports) until malloc_trim(3) is called; another C library has no such function, and keeps them.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
