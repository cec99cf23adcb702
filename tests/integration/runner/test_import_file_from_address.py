"""Single files behind an address: fetched whole or not at all, over connections that break, and gone afterwards."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from climatejobs_runner.sources import downloads
from tests.integration.runner.conftest import Runner, contents, weather, write_netcdf
from tests.integration.runner.test_grib import hours, temperatures, write_grib
from tests.web_server import Site, serve_folder

HOURS = np.arange(240)
THIRD = 100_000


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with a file of some 300 kB, of which pieces of 10 kB are taken at a time."""
    monkeypatch.setattr(downloads, "_PIECE_BYTES", 10_000)
    (tmp_path / "site").mkdir()
    write_netcdf(tmp_path / "site" / "t2m.nc", weather(len(HOURS), 18), HOURS)
    with serve_folder(tmp_path / "site") as site:
        yield site


def open_deleted_files() -> list[str]:
    """Files of this process that have no name any more."""
    found: list[str] = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue
        if "(deleted)" in target and "/data/" in target:
            found.append(target)
    return found


def test_a_file_behind_an_address_is_the_same_as_one_that_is_here(runner: Runner, site: Site) -> None:
    there = runner.bring(f"{site.address}/t2m.nc?signature=secret", "t2m").dataset
    provenance = runner.pointer("t2m")["provenance"]["source"]
    content = (site.folder / "t2m.nc").read_bytes()
    assert provenance == {
        "url": f"{site.address}/t2m.nc",
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": "netCDF",
    }
    assert ("GET", "/t2m.nc?signature=secret", "") in site.asked
    values = runner.open(there)["t2m"].to_numpy()
    np.testing.assert_array_equal(values, weather(len(HOURS), 18))
    assert runner.bring(f"{site.address}/t2m.nc", "t2m").dataset["reused"]
    here = runner.bring(site.folder / "t2m.nc", "t2m").dataset
    assert (here["version"], here["reused"]) == (there["version"], True)
    assert open_deleted_files() == []
    assert sorted(path.name for path in runner.data.iterdir()) == ["datasets"]


def test_a_grib_file_with_a_box(runner: Runner, site: Site) -> None:
    write_grib(site.folder / "t2m.grib", hours(temperatures(12)))
    dataset = runner.bring(f"{site.address}/t2m.grib", "grib", "--bbox", "-13", "9", "-12.5", "9.5").dataset
    assert runner.open(dataset)["t2m"].shape == (12, 2, 2)
    assert runner.pointer("grib")["provenance"]["source"]["format"] == "GRIB"


@pytest.mark.parametrize("version", ["tag", "time"])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(runner: Runner, site: Site, version: str) -> None:
    site.version = "tag" if version == "tag" else "time"
    site.break_after = THIRD
    dataset = runner.bring(f"{site.address}/t2m.nc", "t2m").dataset
    np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), weather(len(HOURS), 18))
    asked = site.ranges_of("/t2m.nc")
    assert asked[0] == ""
    assert len(asked) > 3
    assert all(asked[1:])


def test_a_server_that_sends_no_parts_is_asked_for_all_again(runner: Runner, site: Site) -> None:
    site.ranges, site.break_after, site.breaks = False, THIRD, 1
    dataset = runner.bring(f"{site.address}/t2m.nc", "t2m").dataset
    np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), weather(len(HOURS), 18))
    assert site.ranges_of("/t2m.nc").count("") == 2


def test_a_file_whose_version_is_not_told_is_not_pieced_together(runner: Runner, site: Site) -> None:
    site.version, site.break_after, site.breaks = "nothing", THIRD, 1
    runner.bring(f"{site.address}/t2m.nc", "t2m").dataset  # noqa: B018 - asserts that there is one
    assert site.ranges_of("/t2m.nc") == ["", ""]


@pytest.mark.parametrize("version", ["tag", "time"])
def test_a_file_that_changes_in_between_is_fetched_anew(
    runner: Runner, site: Site, tmp_path: Path, version: str
) -> None:
    site.version = "tag" if version == "tag" else "time"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(site.folder / "t2m.nc", (yesterday, yesterday))
    other = write_netcdf(tmp_path / "other.nc", weather(len(HOURS), 18, seed=2), HOURS)
    site.break_after, site.breaks = THIRD, 1
    site.replaced["/t2m.nc"] = (1, site.folder / "t2m.nc", other.read_bytes())
    dataset = runner.bring(f"{site.address}/t2m.nc", "t2m").dataset
    np.testing.assert_array_equal(runner.open(dataset)["t2m"].to_numpy(), weather(len(HOURS), 18, seed=2))


def test_one_that_breaks_each_time_is_given_up_for_now(runner: Runner, site: Site) -> None:
    site.ranges, site.break_after = False, THIRD
    answer = runner.bring(f"{site.address}/t2m.nc", "t2m")
    assert answer.status == 75
    assert "breaks off or changes each time" in answer.error["detail"]
    assert not (runner.data / "datasets").exists()
    assert open_deleted_files() == []


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(404, 65, "there is nothing at"), (403, 65, "(403)"), (401, 65, "(401)"), (410, 65, "(410)")],
)
def test_what_the_server_refuses_is_told(runner: Runner, site: Site, status: int, code: int, words: str) -> None:
    site.statuses["/t2m.nc"] = status
    answer = runner.bring(f"{site.address}/t2m.nc?signature=secret", "t2m")
    assert answer.status == code
    assert words in answer.error["detail"]
    assert f"{site.address}/t2m.nc" in answer.error["detail"]
    assert "secret" not in str(answer.error)
    assert answer.error["hint"]


@pytest.mark.parametrize("status", [503, 429])
def test_what_may_pass_is_told_so(runner: Runner, site: Site, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from climatejobs_runner.sources import addresses  # noqa: PLC0415

    monkeypatch.setattr(addresses, "_RETRY", {"max_retries": 1})
    site.statuses |= dict.fromkeys(("/t2m.nc", "/t2m.nc/zarr.json", "/t2m.nc/.zgroup"), status)
    answer = runner.bring(f"{site.address}/t2m.nc", "t2m")
    assert (answer.status, "cannot send" in answer.error["detail"]) == (75, True)
    answer = runner.bring("http://127.0.0.1:9/t2m.nc", "t2m")
    assert (answer.status, "cannot be reached" in answer.error["detail"]) == (75, True)


def test_a_page_instead_of_data_is_refused_by_its_first_bytes(runner: Runner, site: Site) -> None:
    (site.folder / "page").write_bytes(b"<!DOCTYPE html>" + bytes(20_000_000))
    answer = runner.bring(f"{site.address}/page", "t2m")
    assert answer.status == 65
    assert "neither netCDF nor GRIB" in answer.error["detail"]
    assert "<!DOCTYPE html>" in answer.error["detail"]


def test_one_that_the_volume_has_no_room_for_is_not_begun(runner: Runner, site: Site) -> None:
    site.claimed = 2**60
    answer = runner.bring(f"{site.address}/t2m.nc", "t2m")
    assert answer.status == 75
    assert re.match(r"t2m\.nc has 1099511627776 MiB, and \d+ MiB are free", answer.error["detail"])
    assert site.ranges_of("/t2m.nc") == [""]


def test_a_file_of_unknown_length_is_refused(runner: Runner, site: Site) -> None:
    site.length = False
    answer = runner.bring(f"{site.address}/t2m.nc", "t2m")
    assert answer.status == 65
    assert "does not say how long" in answer.error["detail"]


def test_a_server_that_is_not_trusted_is_told_from_one_that_is_not_there(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from climatejobs_runner.sources import addresses  # noqa: PLC0415

    monkeypatch.setattr(addresses, "_RETRY", {"max_retries": 0})
    certificate = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-days", "1", "-keyout"]
    subprocess.run([*command, certificate, "-out", tmp_path / "own.pem"], check=True, capture_output=True)
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "own.pem").read_bytes())
    with serve_folder(tmp_path, certificate) as site:
        answer = runner.bring(f"{site.address}/t2m.nc", "t2m")
    assert answer.status == 65
    assert "not one that this machine trusts" in answer.error["detail"]


def test_addresses_that_say_too_much_or_too_little_are_refused(runner: Runner) -> None:
    for address, words in (("https://me:word@host/t2m.nc", "carries a password"), ("https:///t2m.nc", "no host")):
        answer = runner.bring(address, "t2m")
        assert answer.status == 65
        assert words in answer.error["detail"]
        assert "word@" not in str(answer.error)
    assert "names no bucket" in runner.bring("s3://", "t2m").error["detail"]
    assert "for sources in a bucket" in runner.bring("https://host/t2m.nc", "t2m", "--anonymous").error["detail"]


_KILLED = """
import os, signal, sys
from climatejobs_runner.sources import downloads
taken = downloads.Download._take
def take(self, answer):
    self.attempt.progress.advance = lambda count: os.kill(os.getpid(), signal.SIGKILL)
    taken(self, answer)
downloads.Download._take = take
from climatejobs_runner.main import main
main(sys.argv[1:])
"""


def test_nothing_is_left_of_one_that_is_killed(runner: Runner, site: Site) -> None:
    before = contents(runner.data)
    command = [sys.executable, "-c", _KILLED, "import", f"{site.address}/t2m.nc", "--id", "t2m", "--variable", "t2m"]
    ended = subprocess.run([*command, "--data", runner.data], check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert contents(runner.data) == before


def test_it_takes_no_space_in_a_bucket(bucket_runner: Runner, site: Site) -> None:
    dataset = bucket_runner.bring(f"{site.address}/t2m.nc", "t2m").dataset
    np.testing.assert_array_equal(bucket_runner.open(dataset)["t2m"].to_numpy(), weather(len(HOURS), 18))
