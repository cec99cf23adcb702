"""Packed values as CF stores them: whole numbers with a scale, an offset and a number that means missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from pydantic import JsonValue

ATTRIBUTES = frozenset({"_FillValue", "missing_value", "scale_factor", "add_offset"})
"""Attributes that speak of how values are stored; decoding uses them up."""

type Values = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


@dataclass(frozen=True)
class Packing:
    """How stored numbers become values."""

    scale: float
    offset: float
    missing: tuple[float, ...]

    @classmethod
    def of(cls, dtype: str, attributes: Mapping[str, JsonValue]) -> Self | None:
        """The packing that attributes describe; None where stored numbers are the values."""
        if np.dtype(dtype).kind not in "iuf":
            return None
        missing = tuple(
            float(cast(float, value))
            for name in ("_FillValue", "missing_value")
            for value in [attributes.get(name)]
            if isinstance(value, int | float) and not math.isnan(value)
        )
        scale, offset = attributes.get("scale_factor", 1.0), attributes.get("add_offset", 0.0)
        if not isinstance(scale, int | float) or not isinstance(offset, int | float):
            return None
        packing = cls(float(scale), float(offset), tuple(dict.fromkeys(missing)))
        return None if packing == cls(1.0, 0.0, ()) else packing

    def dtype(self, stored: str) -> str:
        """Type of the values: the stored one where that is a float that is only marked as missing, else float64."""
        plain = self.scale == 1 and self.offset == 0
        return stored if plain and np.dtype(stored).kind == "f" else "float64"

    def unpack(self, stored: Values) -> Values:
        """The values, with NaN for what is missing."""
        values = stored.astype(self.dtype(str(stored.dtype)))
        if self.scale != 1:
            values *= self.scale
        if self.offset != 0:
            values += self.offset
        for number in self.missing:
            # Compared as they are stored: 1e20 is another number in 32 bits.
            with np.errstate(over="ignore"):
                marker = np.asarray(number).astype(stored.dtype)
            if np.dtype(stored.dtype).kind == "f" or marker == number:
                values[stored == marker] = np.nan
        return values
