"""The runner's way to the operator, with a real HTTP server in the operator's place."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from climatejobs.model import Progress
from climatejobs.names import Environment
from climatejobs_runner import channel as channels
from climatejobs_runner.channel import Channel
from tests.cluster_objects import wait_until


@dataclass
class Desk:
    """Answers with the statuses a test sets, then with 204, and keeps what was said."""

    statuses: list[int] = field(default_factory=list[int])
    reports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tokens: set[str] = field(default_factory=set[str])
    port: int = 0


@pytest.fixture
def desk() -> Iterator[Desk]:
    kept = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.tokens.add(self.headers["Authorization"])
            kept.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(kept.statuses.pop(0) if kept.statuses else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


@pytest.fixture
def channel(desk: Desk, tmp_path: Path) -> Channel:
    token = tmp_path / "token"
    token.write_text("secret\n")
    found = Channel.find(
        {Environment.REPORT_URL: f"http://127.0.0.1:{desk.port}/reports", Environment.REPORT_TOKEN: str(token)}
    )
    assert found is not None
    return found


def test_a_laptop_has_no_channel() -> None:
    assert Channel.find({}) is None


def test_a_result_is_delivered_with_the_pods_token(desk: Desk, channel: Channel) -> None:
    assert channel.deliver({"message": "hello"})
    assert desk.tokens == {"Bearer secret"}
    assert desk.reports[0]["outputs"] == {"message": "hello"}
    assert desk.reports[0]["seconds"] >= 0


def test_a_short_job_reports_nothing_but_its_result(desk: Desk, channel: Channel) -> None:
    channel.report(Progress(percent=1))
    assert channel.deliver({"message": "hello"})
    assert [list(report) for report in desk.reports] == [["outputs", "seconds"]]


def test_a_result_is_reported_again_where_nobody_leads(desk: Desk, channel: Channel) -> None:
    desk.statuses = [503, 503]
    assert channel.deliver({"message": "hello"})
    assert len(desk.reports) == 3


@pytest.mark.parametrize("status", [401, 403, 409, 422])
def test_a_refusal_is_final_and_said(
    desk: Desk, channel: Channel, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.statuses = [status]
    assert not channel.deliver({"message": "hello"})
    assert len(desk.reports) == 1
    assert "did not take the result" in capsys.readouterr().err


def test_an_operator_that_is_away_costs_a_few_seconds_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(channels, "RESULT_SECONDS", 0.7)
    (tmp_path / "token").write_text("secret")
    away = Channel(channels.Operator("http://127.0.0.1:9/reports", tmp_path / "token"))
    assert not away.deliver({"message": "hello"})
    assert "refused" in capsys.readouterr().err


def test_of_progress_the_latest_is_sent(desk: Desk, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    for percent in range(100):
        channel.report(Progress(percent=percent))
    wait_until(lambda: len(desk.reports) == 1, "the first report", 5)
    assert desk.reports[0]["progress"]["percent"] == 99
    channel.close()


def test_progress_that_is_refused_is_sent_no_more(
    desk: Desk, channel: Channel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(channels, "INTERVAL_SECONDS", 0.01)
    desk.statuses = [409]
    channel.report(Progress(percent=1))
    wait_until(
        lambda: all(thread.name != "reports" for thread in threading.enumerate()) or None, "the thread to end", 5
    )
    channel.report(Progress(percent=2))
    assert channel.deliver({"message": "hello"})
    assert [next(iter(report)) for report in desk.reports] == ["progress", "outputs"]
    assert "takes no reports of progress" in capsys.readouterr().err


def test_a_shard_that_ends_tells_how_much_it_has_done(desk: Desk, channel: Channel) -> None:
    for percent in (1, 100):
        channel.report(Progress(percent=percent))
    channel.finish()
    assert [report["progress"]["percent"] for report in desk.reports] == [100]
    channel.report(Progress(percent=100))
    channel.finish()
    assert len(desk.reports) == 1


def test_a_shard_that_ends_does_not_repeat_what_was_sent(
    desk: Desk, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "INTERVAL_SECONDS", 0.0)
    channel.report(Progress(percent=100))
    wait_until(lambda: len(desk.reports) == 1, "the report", 5)
    channel.finish()
    assert len(desk.reports) == 1


def test_a_shard_that_ends_says_nothing_where_progress_was_refused(
    desk: Desk, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "INTERVAL_SECONDS", 0.01)
    desk.statuses = [409]
    channel.report(Progress(percent=1))
    wait_until(
        lambda: all(thread.name != "reports" for thread in threading.enumerate()) or None, "the thread to end", 5
    )
    channel.report(Progress(percent=2))
    channel.finish()
    assert len(desk.reports) == 1
