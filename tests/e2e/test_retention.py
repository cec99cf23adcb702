"""What is cleared away after the end of a real pod, and what stays."""

import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs, ClusterObjects, wait_until
from tests.e2e.conftest import HURRIED, find_leftovers

pytestmark = pytest.mark.e2e


def test_the_job_goes_first_then_the_climatejob_and_the_results_stay(
    hurried: Installation, objects: ClusterObjects
) -> None:
    climate_jobs = ClimateJobs(objects, HURRIED)
    message = "kept " * 600  # too long for the status, so it is a file of the data root
    climate_jobs.create("brief", inputs={"message": message}, ttlSecondsAfterFinished=600)
    results = climate_jobs.wait_for("brief", "Succeeded", "Failed")["status"]["results"]
    wait_until(lambda: not find_leftovers(objects, HURRIED, "brief"), "Job and pod to be gone", 60)
    assert climate_jobs.get("brief")["status"]["results"] == results
    climate_jobs.patch_spec("brief", ttlSecondsAfterFinished=1)
    hurried.kubectl("wait", "--for=delete", "climatejob/brief", "--timeout=60s")
    file = f"/data/{results['message']['file']}"
    assert message.strip() in hurried.kubectl("exec", "deployment/climatejobs-api", "--", "cat", file)
