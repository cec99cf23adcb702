"""Which provider is taken."""

import pytest

from climatejobs_cluster.errors import ClusterError
from climatejobs_cluster.provider import Machine, Request, choose
from climatejobs_cluster.state import ProviderName

EVERYTHING = Machine(is_linux=True, docker_answers=True, kind_available=True, image_available=True)
NO_DOCKER = Machine(is_linux=True, docker_answers=False, kind_available=False, image_available=False)
NO_KIND = Machine(is_linux=True, docker_answers=True, kind_available=False, image_available=False)
NO_IMAGE = Machine(is_linux=True, docker_answers=True, kind_available=True, image_available=False)
MAC_WITHOUT_DOCKER = Machine(is_linux=False, docker_answers=False, kind_available=False, image_available=False)
NODE = Request()
CONTROL_PLANE = Request(extent="control-plane")


@pytest.mark.parametrize(
    ("wanted", "request_", "machine", "chosen"),
    [
        (None, NODE, EVERYTHING, "kind"),
        (None, NODE, NO_DOCKER, "local"),
        (None, NODE, NO_KIND, "local"),
        (None, NODE, NO_IMAGE, "local"),
        ("local", NODE, EVERYTHING, "local"),
        ("kind", NODE, EVERYTHING, "kind"),
        (None, CONTROL_PLANE, EVERYTHING, "local"),
    ],
)
def test_the_choice(wanted: ProviderName | None, request_: Request, machine: Machine, chosen: str):
    assert choose(wanted, request_, machine)[0] == chosen


def test_the_reason_is_given():
    assert choose(None, NODE, NO_DOCKER)[1] == "Docker does not answer"
    assert choose(None, NODE, NO_KIND)[1] == "kind is not there"
    assert choose(None, NODE, NO_IMAGE)[1] == "the node image cannot be had"


@pytest.mark.parametrize(
    ("wanted", "request_", "machine", "words"),
    [
        ("kind", NODE, NO_DOCKER, "needs Docker"),
        ("kind", CONTROL_PLANE, EVERYTHING, "whole nodes"),
        (None, NODE, MAC_WITHOUT_DOCKER, "no way to make a cluster"),
        (None, CONTROL_PLANE, MAC_WITHOUT_DOCKER, "namespaces of Linux"),
    ],
)
def test_impossible_wishes_are_explained(wanted: ProviderName | None, request_: Request, machine: Machine, words: str):
    with pytest.raises(ClusterError, match=words):
        choose(wanted, request_, machine)
