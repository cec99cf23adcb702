"""What the API server itself refuses, whoever writes: the CRD's CEL rules and the admission policy."""

from collections.abc import Callable

import pytest

from climatejobs import names
from climatejobs.crd import validating_admission_policy
from tests.cluster_objects import ClimateJobs, ClusterObjects, Manifest, Refused, wait_until
from tests.integration.conftest import ControlPlane

pytestmark = pytest.mark.integration


@pytest.fixture
def objects(control_plane: ControlPlane) -> ClusterObjects:
    return control_plane.objects


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.status == 422, caught.value
    return caught.value.message


def test_defaults_are_filled_in(climate_jobs: ClimateJobs) -> None:
    spec = climate_jobs.create()["spec"]
    assert (spec["maxAttempts"], spec["timeoutSeconds"], spec["suspend"]) == (3, 21600, False)


@pytest.mark.parametrize("name", ["x" * 53, "with.dot"])
def test_names_must_be_short_labels(climate_jobs: ClimateJobs, name: str) -> None:
    assert "metadata.name must" in refusal(lambda: climate_jobs.create(name))


ASKED: Manifest = {
    "process": "echo",
    "inputs": {"message": "hello", "numbers": [1, 2]},
    "maxAttempts": 5,
    "timeoutSeconds": 60,
    "parallelism": 3,
    "resources": {"memory": "2Gi"},
    "submittedBy": "someone",
    "response": "document",
    "outputs": {"numbers": {}},
    "subscriber": {"successUri": "https://example.org/"},
}
"""Everything that a submitter settles for good."""


@pytest.mark.parametrize(
    "change",
    [
        {"process": "resample"},
        {"inputs": {"message": "bye", "numbers": [1, 2]}},
        {"maxAttempts": 4},
        {"timeoutSeconds": 1},
        {"parallelism": 2},
        {"resources": {"memory": "1Gi"}},
        {"submittedBy": "somebody"},
        {"response": "raw"},
        {"outputs": {"message": {}}},
        {"subscriber": {"successUri": "https://example.com/"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_asked_cannot_be_changed(objects: ClusterObjects, climate_jobs: ClimateJobs, change: Manifest) -> None:
    created = climate_jobs.create(**ASKED)
    message = refusal(lambda: objects.replace({**created, "spec": ASKED | change}))
    assert f"spec.{next(iter(change))} cannot be changed" in message


@pytest.mark.parametrize("field", [field for field in ASKED if field != "process"])
def test_what_was_asked_cannot_be_taken_away_nor_added(
    objects: ClusterObjects, climate_jobs: ClimateJobs, field: str
) -> None:
    whole = climate_jobs.create("whole", **ASKED)
    less = {name: asked for name, asked in ASKED.items() if name != field}
    message = refusal(lambda: objects.replace({**whole, "spec": less}))
    assert f"spec.{field} cannot be changed" in message

    manifest = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": "less"}, "spec": less}
    made = objects.create(manifest, climate_jobs.namespace)
    message = refusal(lambda: objects.replace({**made, "spec": ASKED}))
    assert f"spec.{field} cannot be changed" in message


@pytest.mark.parametrize(
    "change", [{"suspend": True}, {"cancel": True}, {"priority": 5}, {"ttlSecondsAfterFinished": 60}], ids=str
)
def test_what_steers_the_job_can_be_changed(
    objects: ClusterObjects, climate_jobs: ClimateJobs, change: Manifest
) -> None:
    created = climate_jobs.create()
    replaced = objects.replace({**created, "spec": {**created["spec"], **change}})
    assert change.items() <= replaced["spec"].items()


def test_cancel_cannot_be_taken_back(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    created = climate_jobs.create(cancel=True)
    for spec in ({**created["spec"], "cancel": False}, {k: v for k, v in created["spec"].items() if k != "cancel"}):
        assert "spec.cancel cannot be taken back" in refusal(
            lambda spec=spec: objects.replace({**created, "spec": spec})
        )


@pytest.mark.parametrize("end", ["Succeeded", "Failed", "Cancelled"])
def test_an_end_is_an_end(objects: ClusterObjects, climate_jobs: ClimateJobs, end: str) -> None:
    created = climate_jobs.create()
    ended = objects.replace_status({**created, "status": {"phase": end}})
    for status in ({"phase": "Running"}, {"message": "no phase"}):
        message = refusal(lambda status=status: objects.replace_status({**ended, "status": status}))
        assert "status.phase cannot leave" in message
    annotated = {**ended, "status": {"phase": end, "message": "said again"}}
    assert objects.replace_status(annotated)["status"]["message"] == "said again"


def test_jobs_can_be_selected_by_phase_and_process(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    running = climate_jobs.create("running")
    objects.replace_status({**running, "status": {"phase": "Running"}})
    climate_jobs.create("waiting", process="resample", inputs={})
    assert [job["metadata"]["name"] for job in climate_jobs.list(field_selector="status.phase=Running")] == ["running"]
    assert [job["metadata"]["name"] for job in climate_jobs.list(field_selector="spec.process=resample")] == ["waiting"]


@pytest.fixture
def admission_policy(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    """The policy as the chart installs it, in force."""
    version = "admissionregistration.k8s.io/v1"
    name = f"climatejobs-{climate_jobs.namespace}"
    selected = {"matchLabels": {"kubernetes.io/metadata.name": climate_jobs.namespace}}
    objects.create(
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": validating_admission_policy(api_user="system:serviceaccount:x:api"),
        }
    )
    objects.create(
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": selected},
            },
        }
    )
    attempts = iter(range(1000))

    def in_force() -> bool:
        try:
            climate_jobs.create(f"probe-{next(attempts)}", submittedBy="somebody-else")
        except Refused:
            return True
        return False

    wait_until(in_force, "the admission policy to be in force")


@pytest.mark.usefixtures("admission_policy")
def test_a_renamed_key_of_the_inputs_is_refused(objects: ClusterObjects, climate_jobs: ClimateJobs) -> None:
    created = climate_jobs.create()
    inputs = {"text": "hello", "numbers": [1, 2]}
    message = refusal(lambda: objects.replace({**created, "spec": {**created["spec"], "inputs": inputs}}))
    assert "spec.inputs cannot be changed" in message


@pytest.mark.usefixtures("admission_policy")
def test_nobody_submits_in_another_s_name(climate_jobs: ClimateJobs) -> None:
    assert "spec.submittedBy must be your own user name" in refusal(lambda: climate_jobs.create(submittedBy="you"))
    climate_jobs.create()
