"""What users notice of an upgrade: nothing."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from climatejobs_demo.installation import Installation
from tests.cluster_objects import ClimateJobs

pytestmark = pytest.mark.e2e

API = "deployment/climatejobs-api"
PODS = "app.kubernetes.io/component=api"
OPERATOR = "deployment/climatejobs-operator"
SIGNAL = "enough"
# Asks for a job that is not there, on a new connection each time, until it is.
PROGRAM = f"""
import json, urllib.error, urllib.request

answers, failures = 0, []
while True:
    try:
        urllib.request.urlopen("http://climatejobs-api/jobs/{SIGNAL}", timeout=30).read()
        break
    except urllib.error.HTTPError as error:
        if error.code == 404:
            answers += 1
        else:
            failures.append(str(error))
    except OSError as error:
        failures.append(str(error))
print(json.dumps([answers, failures]))
"""


def test_a_roll_out_of_the_api_fails_no_request(installation: Installation, climate_jobs: ClimateJobs) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(installation.kubectl, "exec", OPERATOR, "--", "python3", "-c", PROGRAM)
        try:
            (before,) = installation.kubectl("get", "pods", "--selector", PODS, "--output", "name").split()
            installation.kubectl("rollout", "restart", API)
            installation.kubectl("rollout", "status", API, "--timeout=120s")
            installation.kubectl("wait", "--for=delete", before, "--timeout=60s")
        finally:
            climate_jobs.create(SIGNAL)
        answers, failures = json.loads(asking.result(timeout=120))
    assert failures == []
    assert answers > 10
