"""What of the host's settings reaches a build, so that pip finds its index there."""

from pathlib import Path

from climatejobs_images.index_access import ca_bundle, pip_configuration, pip_settings

LISTED = r"""
:env:.cert='/etc/ssl/certs/ca.crt'
:env:.default-timeout='180'
:env:.disable-pip-version-check='1'
:env:.find-links='/opt/wheels https://wheels.example.org/simple'
global.index-url='https://old.example.org/simple'
global.trusted-host='a.example.org\nb.example.org'
install.index-url='https://index.example.org/simple'
site.index-url='https://nobody.example.org/simple'
"""


def test_the_environment_wins_over_files() -> None:
    settings = pip_settings("global.timeout='1'\n:env:.timeout='2'\ninstall.timeout='3'\n")
    assert settings == {"timeout": "2"}


def test_what_concerns_the_index_is_passed_on_and_nothing_else() -> None:
    assert pip_configuration(pip_settings(LISTED)) == (
        "[global]\n"
        "index-url =\n    https://index.example.org/simple\n"
        "find-links =\n    https://wheels.example.org/simple\n"
        "trusted-host =\n    a.example.org\n    b.example.org\n"
        "timeout =\n    180\n"
    )


def test_where_the_host_sets_nothing_nothing_is_passed_on() -> None:
    assert pip_configuration(pip_settings("")) == ""
    assert pip_configuration(pip_settings(":env:.find-links='/opt/wheels'\n")) == ""
    assert ca_bundle({}, {}) is None


def test_certificates_are_those_that_the_host_names_and_has(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.touch()
    assert ca_bundle({"SSL_CERT_FILE": str(bundle)}, {}) == bundle
    assert ca_bundle({"PIP_CERT": str(tmp_path / "missing.crt"), "CURL_CA_BUNDLE": str(bundle)}, {}) == bundle
    assert ca_bundle({}, {"cert": str(bundle)}) == bundle
    assert ca_bundle({"SSL_CERT_FILE": str(tmp_path)}, {}) is None
