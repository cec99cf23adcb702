"""What `zarr.json` says of a group and of an array: version 3 of Zarr, as far as this project writes it."""

import json
import math
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from pydantic import JsonValue

from climatejobs.errors import DataError
from climatejobs_runner.arrays import TEXT, ArraySpec
from climatejobs_runner.chunks import ZSTD_LEVEL, FillValue

DOCUMENT = "zarr.json"

type Json = dict[str, JsonValue]

_TEXT_TYPE = "string"
"""What Zarr calls texts of any length."""
_NUMBERS = frozenset(
    {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}
)
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_ZSTD = "zstd"


@dataclass(frozen=True)
class ArrayMetadata:
    """An array as it is stored."""

    spec: ArraySpec
    """With the type and the attributes that are stored."""
    fill_value: FillValue

    @classmethod
    def of(cls, spec: ArraySpec) -> Self:
        """A new array: what is not written reads as NaN, or as 0, false or empty where the type has no NaN."""
        if spec.dtype == TEXT:
            return cls(spec, "")
        return cls(spec, {"f": math.nan, "b": False}.get(np.dtype(spec.dtype).kind, 0))

    @classmethod
    def parse(cls, name: str, document: Json) -> Self:
        """Read what `document` has written; raises `DataError` where it is anything else."""
        try:
            found = cls._parse(name, cast(dict[str, Any], document))
            expected = found.document()
        except (KeyError, TypeError, ValueError) as error:
            raise _foreign(name, f"{type(error).__name__}: {error}") from None
        given = {**document, "codecs": _without_settings(document["codecs"])}
        expected["codecs"] = _without_settings(expected["codecs"])
        different = sorted(key for key in given.keys() | expected.keys() if given.get(key) != expected.get(key))
        if different:
            raise _foreign(name, ", ".join(f"{key} is {json.dumps(given.get(key))}" for key in different))
        return found

    def document(self) -> Json:
        """What Zarr is to be told of the array."""
        spec = self.spec
        text = spec.dtype == TEXT
        endian: Json = {"configuration": {"endian": "little"}} if not text and _has_order(spec.dtype) else {}
        serializer: Json = {"name": "vlen-utf8", "configuration": {}} if text else {"name": "bytes", **endian}
        names: Json = {"dimension_names": [*spec.dimensions]} if spec.dimensions else {}
        return {
            "shape": [*spec.shape],
            "data_type": _TEXT_TYPE if text else spec.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [*spec.chunks]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": _write_number(self.fill_value),
            "codecs": [serializer, {"name": _ZSTD, "configuration": {"level": ZSTD_LEVEL, "checksum": True}}],
            "attributes": {**spec.attributes},
            **names,
            "zarr_format": 3,
            "node_type": "array",
            "storage_transformers": [],
        }

    @classmethod
    def _parse(cls, name: str, document: dict[str, Any]) -> Self:
        text = document["data_type"] == _TEXT_TYPE
        if not text and document["data_type"] not in _NUMBERS:
            raise ValueError(f"values of type {document['data_type']}")
        shape, chunks = _lengths(document["shape"]), _lengths(document["chunk_grid"]["configuration"]["chunk_shape"])
        dimensions = cast(tuple[str | None, ...], tuple(document.get("dimension_names") or ()))
        if len(dimensions) != len(shape) or None in dimensions:
            raise DataError(f"the dimensions of {name} have no names")
        if len(chunks) != len(shape) or 0 in chunks:
            raise ValueError(f"chunks of {chunks} for a shape of {shape}")
        fill_value = document["fill_value"]
        spec = ArraySpec(
            name=name,
            dimensions=cast(tuple[str, ...], dimensions),
            shape=shape,
            chunks=chunks,
            dtype=TEXT if text else document["data_type"],
            attributes=dict(document["attributes"]),
        )
        return cls(spec, fill_value if text or not isinstance(fill_value, str) else _NOT_FINITE[fill_value])


@dataclass(frozen=True)
class GroupMetadata:
    """The root of a store."""

    attributes: Json
    arrays: dict[str, Json] | None = None
    """The documents of its arrays by their names, once they are all there.

    To have them in one place is not in the specification yet. Over HTTP, where folders cannot be listed, it is the only
    way to find the arrays, and it makes opening one request.
    """

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `document` has written; raises `ValueError` where it is nothing like that."""
        document = parse_document(content)
        attributes, consolidated = document.get("attributes", {}), document.get("consolidated_metadata")
        if document.get("zarr_format") != 3 or document.get("node_type") != "group" or not isinstance(attributes, dict):
            raise ValueError("it is not a group of version 3")
        if consolidated is None:
            return cls(attributes)
        arrays = consolidated.get("metadata") if isinstance(consolidated, dict) else None
        if not isinstance(arrays, dict) or not all(isinstance(array, dict) for array in arrays.values()):
            raise ValueError("what it says of its arrays cannot be read")
        return cls(attributes, cast(dict[str, Json], arrays))

    def document(self) -> Json:
        """What Zarr is to be told of the group."""
        consolidated: Json = {}
        if self.arrays is not None:
            inline: Json = {"kind": "inline", "must_understand": False, "metadata": {**self.arrays}}
            consolidated["consolidated_metadata"] = inline
        return {"attributes": {**self.attributes}, "zarr_format": 3, **consolidated, "node_type": "group"}


def parse_document(content: bytes) -> Json:
    """The JSON object in a file; raises `ValueError` where there is none."""
    document = cast(JsonValue, json.loads(content))
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return document


def write_document(document: Json) -> bytes:
    """A document as Zarr writes it."""
    return json.dumps(document, indent=2).encode()


def _lengths(numbers: list[Any]) -> tuple[int, ...]:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"lengths of {numbers}")
    return tuple(numbers)


def _has_order(dtype: str) -> bool:
    """Whether values have more than one byte, and so an order."""
    return np.dtype(dtype).itemsize > 1


def _write_number(value: FillValue) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        return next(word for word, number in _NOT_FINITE.items() if str(number) == str(value))
    return value


def _without_settings(codecs: JsonValue) -> JsonValue:
    """Codecs without how hard zstd has tried, which makes no difference to who reads."""
    return [
        {"name": _ZSTD} if isinstance(codec, dict) and codec.get("name") == _ZSTD else codec
        for codec in cast(list[JsonValue], codecs)
    ]


def _foreign(name: str, why: str) -> DataError:
    return DataError(
        f"{name} is not stored in the way of this program: {why}",
        hint="Data of others are brought in by climatejobs-runner import.",
    )
