"""Where the packages of the base come from: from wherever the host's own packages come."""

from climatejobs_images.debian import RECIPE, sources

TARGETS = """\
https://mirror.example.org/debian/ bookworm main
https://mirror.example.org/debian/ bookworm main
https://mirror.example.org/debian/ bookworm contrib
https://mirror.example.org/debian/ bookworm-updates main
https://mirror.example.org/security/ bookworm-security main
https://tools.example.org/apt/ stable main
https://tools.example.org/backports/ bookworm-backports main
"""


def test_the_mirrors_of_the_host_serve_our_release() -> None:
    assert sources(TARGETS, "bookworm") == [
        "deb https://mirror.example.org/debian/ trixie main",
        "deb https://mirror.example.org/debian/ trixie-updates main",
        "deb https://mirror.example.org/security/ trixie-security main",
    ]


def test_a_host_without_debian_sources_leaves_the_choice_to_the_tool() -> None:
    assert sources("", "bookworm") == []
    assert sources(TARGETS, "sid") == []


def test_the_recipe_names_no_host() -> None:
    assert not [word for word in RECIPE if "://" in word]
