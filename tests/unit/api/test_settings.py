import json
import logging
import subprocess
import sys
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from climatejobs.quantities import parse_quantity
from climatejobs_api.exchange import request_id
from climatejobs_api.logs import JsonFormatter
from climatejobs_api.settings import Settings, exceeds


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CLIMATEJOBS_NAMESPACE": "climate",
        "CLIMATEJOBS_API_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7",
        "CLIMATEJOBS_API_PUBLIC_URL": "https://example.org/climate/",
        "CLIMATEJOBS_API_ROOT_PATH": "/climate/",
        "CLIMATEJOBS_API_STRICT": "true",
        "CLIMATEJOBS_API_MAX_MEMORY": "",
        "CLIMATEJOBS_API_MAX_CPU": "4",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.namespace == "climate"
    assert list(settings.trusted_proxies) == [ip_network("10.0.0.0/8"), ip_network("192.0.2.7")]
    assert settings.public_url == "https://example.org/climate"
    assert settings.root_path == "/climate"
    assert settings.strict
    assert (settings.max_memory, settings.max_cpu) == (None, "4")


@pytest.mark.parametrize(
    ("name", "value"),
    [("public_url", "example.org"), ("root_path", "climate"), ("max_memory", "lots"), ("trusted_proxies", "proxy")],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({name: value})


def test_the_program_names_the_variable_at_fault() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from climatejobs_api.main import main; main()"],
        env={"CLIMATEJOBS_API_PORT": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 78
    assert "CLIMATEJOBS_API_PORT" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_program_says_that_it_finds_no_cluster(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from climatejobs_api.main import main; main()"],
        env={"KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 78
    assert "KUBECONFIG" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("500m", Decimal("0.5")), ("4Gi", 4 * 1024**3), ("1.5k", 1500), ("2e3", 2000), ("1Pi", 1024**5)],
)
def test_quantities(text: str, number: int | Decimal) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "1Xi", "-1", "1 Gi", "1Gib"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


def test_bounds() -> None:
    assert exceeds("4097Mi", "4Gi")
    assert not exceeds("4096Mi", "4Gi")
    assert not exceeds(None, "4Gi")
    assert not exceeds("4Gi", None)


def test_a_log_line_is_one_json_object() -> None:
    token = request_id.set("abc")
    try:
        record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": "a %s", "args": ("b\nc",), "jobs": 3})
        line = JsonFormatter().format(record)
    finally:
        request_id.reset(token)
    assert "\n" not in line
    assert json.loads(line) | {"message": "a b\nc", "requestId": "abc", "level": "info", "jobs": 3} == json.loads(line)
