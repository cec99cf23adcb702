"""Whether a volume has room for a file that is to be fetched."""

import pytest

from climatejobs.errors import TemporaryError
from climatejobs.footprints import MIB
from climatejobs_runner.sources.downloads import SPARED_BYTES, check_room


def test_a_file_that_leaves_what_is_spared_is_taken() -> None:
    check_room("t2m.nc", 100 * MIB, 100 * MIB + SPARED_BYTES)


def test_one_byte_more_is_refused_with_both_sizes_and_what_to_do() -> None:
    with pytest.raises(TemporaryError) as refusal:
        check_room("t2m.nc", 100 * MIB + 1, 100 * MIB + SPARED_BYTES)
    assert str(refusal.value).startswith(
        "t2m.nc has 101 MiB, and 164 MiB are free where it is fetched to, 64 MiB of which"
    )
    assert "Free space on that volume" in (refusal.value.hint or "")
