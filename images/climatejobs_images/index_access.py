"""What a build step needs from its host to reach the package index: certificates and pip's settings.

Both become build secrets, which are there while a step runs and leave nothing in an image. Where the host sets
nothing, there is no secret.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
REMOTE = ("index-url", "extra-index-url", "find-links")
PLAIN = ("trusted-host", "proxy", "timeout", "default-timeout", "retries")
FROM_STRONGEST = (":env:", "install", "global")


def ca_bundle(environment: Mapping[str, str], settings: Mapping[str, str]) -> Path | None:
    """The file of certificates that the host has been told to trust."""
    named = [environment.get(name, "") for name in CERTIFICATES] + [settings.get("cert", "")]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def pip_settings(listed: str) -> dict[str, str]:
    """pip's settings from the output of `pip config list`, by option; the environment wins over files. Pure."""
    found: dict[str, dict[str, str]] = {}
    for line in listed.splitlines():
        key, separator, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if separator and section in FROM_STRONGEST:
            found.setdefault(section, {})[option] = str(ast.literal_eval(value))
    return {option: value for section in reversed(FROM_STRONGEST) for option, value in found.get(section, {}).items()}


def pip_configuration(settings: Mapping[str, str]) -> str:
    """A pip.conf of what concerns the index; empty where there is nothing to say. Local folders stay out. Pure."""
    lines: list[str] = []
    for option in (*REMOTE, *PLAIN):
        words = settings.get(option, "").split()
        if option in REMOTE:
            words = [word for word in words if "://" in word and not word.startswith("file:")]
        if words:
            lines.append(f"{option.removeprefix('default-')} =" + "".join(f"\n    {word}" for word in words))
    return "\n".join(["[global]", *lines, ""]) if lines else ""
