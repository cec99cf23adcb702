"""Who may do what: no more than the code of each part needs."""

from collections.abc import Sequence

from tests.chart.conftest import Helm, Manifest, of_kind, pod_specs


def rights(role: Manifest) -> set[str]:
    """`group/resource verb` for everything that a role allows."""
    return {
        f"{group}/{resource} {verb}"
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def rights_of(manifests: Sequence[Manifest], part: str) -> set[str]:
    return rights(of_kind(manifests, "Role")[f"climatejobs-{part}"])


def test_the_api_handles_climatejobs_and_reads_logs_and_nothing_else(helm: Helm) -> None:
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    climatejobs = {f"climatejobs.io/climatejobs {verb}" for verb in verbs}
    assert rights_of(helm.template(), "api") == {*climatejobs, "/pods list", "/pods/log get"}


REVIEWS = {"authentication.k8s.io/tokenreviews create", "authorization.k8s.io/subjectaccessreviews create"}
OIDC = ("auth.mode=oidc", "auth.oidc.issuer=https://login.example.org", "auth.oidc.audience=climatejobs")


def test_the_api_asks_for_reviews_only_where_callers_are_authenticated(helm: Helm) -> None:
    name = "climatejobs-science-access-review"
    assert name not in of_kind(helm.template(), "ClusterRole")
    for settings, expected in {
        ("auth.mode=kubernetes",): REVIEWS,
        OIDC: {"authorization.k8s.io/subjectaccessreviews create"},
    }.items():
        manifests = helm.template(*settings)
        assert rights(of_kind(manifests, "ClusterRole")[name]) == expected
        (subject,) = of_kind(manifests, "ClusterRoleBinding")[name]["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": "climatejobs-api", "namespace": "science"}
    assert of_kind(helm.template("auth.mode=kubernetes", "rbac.create=false"), "ClusterRoleBinding") == {}


def test_the_operator_makes_jobs_and_writes_of_a_climatejob_its_status_and_its_end(helm: Helm) -> None:
    allowed = rights_of(helm.template(), "operator")
    assert {
        "batch/jobs create",
        "batch/jobs patch",
        "batch/jobs delete",
        "/pods delete",
        "/pods/status patch",
        "/events list",
        "events.k8s.io/events create",
    } <= allowed
    writing = {right for right in allowed if right.startswith("climatejobs.io/") and right.split()[1] not in READING}
    assert writing == {
        "climatejobs.io/climatejobs/status update",
        "climatejobs.io/climatejobs/status patch",
        "climatejobs.io/climatejobs delete",
    }


def test_the_operator_reads_and_writes_its_own_lease_alone(helm: Helm) -> None:
    rules = of_kind(helm.template(), "Role")["climatejobs-operator"]["rules"]
    for rule in rules:
        if "leases" in rule["resources"] and rule["verbs"] != ["create"]:
            assert rule["resourceNames"] == ["climatejobs-operator"]


READING = {"get", "list", "watch"}


def test_nobody_touches_secrets_or_may_do_everything(manifests: list[Manifest]) -> None:
    roles = [*of_kind(manifests, "Role").values(), *of_kind(manifests, "ClusterRole").values()]
    for role in roles:
        for right in rights(role):
            assert "secrets" not in right
            assert "*" not in right
            assert not right.startswith("rbac.authorization.k8s.io/")


def test_no_right_of_the_parts_reaches_beyond_the_namespace_but_to_ask_who_somebody_is_and_may(
    manifests: list[Manifest],
) -> None:
    roles = of_kind(manifests, "ClusterRole")
    for binding in of_kind(manifests, "ClusterRoleBinding").values():
        assert rights(roles[binding["roleRef"]["name"]]) <= REVIEWS
        assert [subject["namespace"] for subject in binding["subjects"]] == ["science"]
    accounts = {
        subject["name"] for binding in of_kind(manifests, "RoleBinding").values() for subject in binding["subjects"]
    }
    assert accounts <= {spec.get("serviceAccountName") for spec in pod_specs(manifests).values()}


def test_the_runner_has_neither_rights_nor_a_token(helm: Helm) -> None:
    manifests = helm.template()
    assert of_kind(manifests, "ServiceAccount")["climatejobs-runner"]["automountServiceAccountToken"] is False
    bound = [
        subject["name"] for binding in of_kind(manifests, "RoleBinding").values() for subject in binding["subjects"]
    ]
    assert sorted(bound) == ["climatejobs-api", "climatejobs-operator"]


def test_the_test_pod_has_no_token(helm: Helm) -> None:
    assert pod_specs(helm.template())["climatejobs-test"]["automountServiceAccountToken"] is False


def test_people_who_may_view_or_edit_get_climatejobs_too(helm: Helm) -> None:
    roles = of_kind(helm.template(), "ClusterRole")
    view, edit = roles["climatejobs-science-view"], roles["climatejobs-science-edit"]
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {f"{prefix}view", f"{prefix}edit", f"{prefix}admin"} <= view["metadata"]["labels"].keys()
    assert f"{prefix}view" not in edit["metadata"]["labels"]
    assert {right.split()[1] for right in rights(view)} == READING
    assert {"climatejobs.io/datasets get", "climatejobs.io/datasets list"} <= rights(view)
    assert not any("status" in right for right in rights(edit)), "the status is the operator's"
    left = of_kind(helm.template("rbac.aggregate=false"), "ClusterRole")
    assert list(left) == ["climatejobs-science-token-review"]


def test_the_admission_policy_knows_the_account_of_the_api(helm: Helm) -> None:
    for name, settings in {"climatejobs-api": (), "gateway": ("api.serviceAccount.name=gateway",)}.items():
        (policy,) = of_kind(helm.template(*settings), "ValidatingAdmissionPolicy").values()
        expressions = [validation["expression"] for validation in policy["spec"]["validations"]]
        assert any(f"'system:serviceaccount:science:{name}'" in expression for expression in expressions)


def test_accounts_that_are_there_already_are_used(helm: Helm) -> None:
    manifests = helm.template(case="existing-claim")
    assert of_kind(manifests, "ServiceAccount") == {}
    specs = pod_specs(manifests)
    assert specs["climatejobs-api"]["serviceAccountName"] == "gateway"
    assert specs["climatejobs-operator"]["serviceAccountName"] == "controller"
