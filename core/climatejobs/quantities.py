"""Kubernetes quantities as numbers, so that two of them can be compared."""

import re
from decimal import Decimal

_SUFFIXES = {"": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGTP", start=1)
}
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?P<exponent>[0-9]+)|(?P<suffix>[A-Za-z]*))")


def parse_quantity(text: str) -> Decimal:
    """The number that a quantity such as ``500m`` or ``2Gi`` stands for; raises ValueError for other text."""
    match = _QUANTITY.fullmatch(text)
    if match is None or (match["suffix"] or "") not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 4Gi")
    if match["exponent"]:
        return Decimal(match["number"]).scaleb(int(match["exponent"]))
    return Decimal(match["number"]) * _SUFFIXES[match["suffix"] or ""]
