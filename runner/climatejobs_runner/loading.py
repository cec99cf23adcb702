"""Loading modules at less cost. This module itself loads in no time."""

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def modules_loading() -> Generator[None]:
    """Load modules within: what they make stays, so the garbage collector need not look through it again and again."""
    # Threads of the linear algebra library spin while they wait, and its sums depend on their number.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
