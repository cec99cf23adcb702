"""The operator's own parts on the model of a cluster, driven step by step without an event loop."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from climatejobs.reports import Report
from climatejobs_operator.acceptance import Refused, check
from climatejobs_operator.announcements import Announcements
from climatejobs_operator.cache import Cache
from climatejobs_operator.cluster import CLIMATEJOBS, JOBS
from climatejobs_operator.expiry import Expiry
from climatejobs_operator.intake import Intake
from climatejobs_operator.jobs import Job
from climatejobs_operator.pods import Pod
from climatejobs_operator.pulse import Pulse
from climatejobs_operator.queue import Limits, Line
from climatejobs_operator.reconcile import Hindered, Outdated, Reconciler, Unhurried
from climatejobs_operator.reports import Reports
from climatejobs_operator.resync import Resync
from climatejobs_operator.workqueue import WorkQueue
from tests.unit.operator.builders import NOW, OUTPUTS, SETTINGS
from tests.unit.operator.model_cluster import NAME, Manifest, ModelCluster
from tests.unit.operator.timetable import ManualTimetable


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the model waits for nothing")


ONE_SLOT = Limits(running=1)


class ModelOperator:
    """The operator's own parts, on the model; a new one knows nothing, as after a restart."""

    def __init__(self, cluster: ModelCluster, limits: Limits = ONE_SLOT) -> None:
        timetable = ManualTimetable()
        self.cache = Cache()
        self.queue = queue = WorkQueue(timetable, lambda: 0.5)
        pulse = Pulse(queue, timetable.time)
        self.intake = Intake(self.cache, queue, pulse)
        line = Line(self.cache, limits, queue.add)
        self.expiry = Expiry(cluster, queue, SETTINGS, now=lambda: NOW + timedelta(seconds=cluster.seconds))
        self.reports = Reports(
            self.cache,
            lambda name, _seconds: queue.add(name),
            per_second=20,
            clock=timetable.time,
            now=lambda: NOW + timedelta(seconds=cluster.seconds),
        )
        self.resync = Resync(cluster, self.cache, queue, pulse, 600)
        self.announcements = Announcements(
            cluster, instance="test", now=lambda: NOW + timedelta(seconds=cluster.seconds)
        )
        self.reconciler = Reconciler(
            cluster,
            self.cache,
            queue,
            self.intake,
            SETTINGS,
            line=line,
            expiry=self.expiry,
            reports=self.reports,
            announcements=self.announcements,
            now=lambda: NOW + timedelta(seconds=cluster.seconds),
            slow=lambda: cluster.slow,
        )
        run(self.resync.compare())

    def deliver(self, kind: str, manifest: Manifest, *, deleted: bool) -> None:
        if kind == CLIMATEJOBS.plural:
            self.intake.take_climatejob(manifest, deleted=deleted)
        elif kind == JOBS.plural:
            self.intake.take_job(Job.model_validate(manifest), deleted=deleted)
        else:
            self.intake.take_pod(Pod.model_validate(manifest), deleted=deleted)

    def take_result(self, manifest: Manifest) -> bool:
        """A pod reports that it has published its result; whether it is believed."""
        pod, report = Pod.model_validate(manifest), Report(outputs=OUTPUTS, seconds=1)
        try:
            check(pod, self.cache.observe(NAME), report)
        except Refused:
            return False

        async def put() -> None:
            self.reports.put_result(NAME, pod, report)

        asyncio.run(put())
        return True

    def catch_up(self) -> None:
        """Hear of everything there is, and act on it."""
        run(self.resync.compare())
        run(self.expiry.sweep())
        self.reconcile()

    def reconcile(self) -> None:
        """Act on what is known, again where that proves to be outdated."""
        for _ in range(5):
            while len(self.queue):  # whatever is in it has had its turn
                self.queue.finish(run(self.queue.take()))
            try:
                run(self.reconciler.reconcile(NAME))
            except (Outdated, Unhurried):
                continue
            except Hindered:
                pass
            while len(self.announcements):
                run(self.announcements.post_next())
            return
        raise AssertionError("the operator goes round in circles")
