"""The environment, and what is said of a wrong one."""

import pytest

from climatejobs_operator.settings import Settings, SettingsError

NEEDED = {
    "CLIMATEJOBS_NAMESPACE": "climate",
    "CLIMATEJOBS_OPERATOR_RUNNER_IMAGE": "runner:1",
    "CLIMATEJOBS_OPERATOR_DATA_CLAIM": "data",
}


def test_three_variables_are_enough() -> None:
    settings = Settings.from_environment(NEEDED)
    assert (settings.namespace, settings.runner_image, settings.data_claim) == ("climate", "runner:1", "data")
    assert (settings.workers, settings.resync_seconds, settings.probe_port) == (16, 600, 8080)
    assert (settings.max_running, settings.max_running_per_submitter) == (10, 0)
    assert settings.runner_pod == {}


def test_text_becomes_numbers_and_objects_and_empty_is_absent() -> None:
    settings = Settings.from_environment(
        {
            **NEEDED,
            "CLIMATEJOBS_OPERATOR_WORKERS": "8",
            "CLIMATEJOBS_OPERATOR_RUNNER_POD": '{"nodeSelector": {"disk": "fast"}}',
            "CLIMATEJOBS_OPERATOR_RUNNER_MEMORY": "",
        }
    )
    assert (settings.workers, settings.runner_memory) == (8, "1Gi")
    assert settings.runner_pod == {"nodeSelector": {"disk": "fast"}}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CLIMATEJOBS_NAMESPACE", ""),
        ("CLIMATEJOBS_OPERATOR_RUNNER_IMAGE", ""),
        ("CLIMATEJOBS_OPERATOR_WORKERS", "many"),
        ("CLIMATEJOBS_OPERATOR_RUNNER_POD", "[1]"),
        ("CLIMATEJOBS_OPERATOR_RUNNER_MEMORY", "lots"),
        ("CLIMATEJOBS_OPERATOR_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({**NEEDED, variable: value})


@pytest.mark.parametrize("given", [{"DATA_CLAIM": ""}, {"DATA_BUCKET": "s3://climate"}])
def test_data_lie_in_one_place(given: dict[str, str]) -> None:
    variables = {f"CLIMATEJOBS_OPERATOR_{name}": value for name, value in given.items()}
    with pytest.raises(SettingsError, match="CLIMATEJOBS_OPERATOR_DATA_CLAIM or CLIMATEJOBS_OPERATOR_DATA_BUCKET"):
        Settings.from_environment({**NEEDED, **variables})
