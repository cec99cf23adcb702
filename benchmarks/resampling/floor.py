"""The floor: read and decompress every chunk with two threads into buffers that are used again, and nothing else.

Given a result too, its stored bytes are written out and made durable, as they have to be at least.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
from numcodecs.zstd import Zstd  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs

THREADS = 2


def main() -> None:
    """Arguments: the folder of an array's chunks, the bytes of one, and optionally a result's and where to copy it."""
    folder, size, *copied = sys.argv[1:]
    names = iter(sorted(path for path in Path(folder).rglob("*") if path.is_file()))
    lock = threading.Lock()

    def work() -> None:
        codec, buffer = cast(Any, Zstd()), np.empty(int(size), dtype=np.uint8)
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                return
            codec.decode(name.read_bytes(), buffer)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    if copied:
        target = Path(copied[1])
        target.mkdir()
        for index, path in enumerate(sorted(path for path in Path(copied[0]).rglob("*") if path.is_file())):
            with (target / str(index)).open("wb") as file:
                file.write(path.read_bytes())
                file.flush()
                os.fsync(file.fileno())
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
