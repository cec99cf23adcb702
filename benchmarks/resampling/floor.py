"""The floor: read and decompress every chunk with two threads into buffers that are used again, and nothing else.

Given a result too, its chunks are compressed as they are stored, written out and made durable, as they have to be at
least.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numcodecs.zstd import Zstd  # pyright: ignore[reportUnknownVariableType] - compiled, without stubs

THREADS = 2


def main() -> None:
    """Arguments: the folder of an array's chunks, the bytes of one, and optionally a result's and where to copy it."""
    folder, size, *copied = sys.argv[1:]
    names = iter(sorted(path for path in Path(folder).rglob("*") if path.is_file()))
    started = time.perf_counter()
    # What is to be written is there already, for the one who only writes: getting it is not counted.
    written = iter(enumerate(list(_decoded(Path(copied[0]))) if copied else []))
    if copied:
        Path(copied[1]).mkdir()
        print("prepared", time.perf_counter() - started)
    lock = threading.Lock()

    def work() -> None:
        codec, buffer = cast(Any, Zstd)(level=1, checksum=True), np.empty(int(size), dtype=np.uint8)
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                break
            codec.decode(name.read_bytes(), buffer)
        while True:
            with lock:
                index, values = next(written, (0, None))
            if values is None:
                return
            with (Path(copied[1]) / str(index)).open("wb") as file:
                file.write(codec.encode(values))
                file.flush()
                os.fsync(file.fileno())

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _decoded(folder: Path) -> Iterator[object]:
    """The values of a result, one chunk after the other: what there is to be written."""
    codec = cast(Any, Zstd())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield codec.decode(path.read_bytes())


if __name__ == "__main__":
    main()
