"""Description of `echo`: gives back what it is given, so that a client or an installation can be tried out."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from climatejobs.processes.base import Inputs, Outputs, Process

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MAX_PAUSE_SECONDS = 3600
_AREA_SCHEMA: dict[str, JsonValue] = {
    "allOf": [
        {"format": "ogc-bbox"},
        {
            "type": "object",
            "required": ["bbox"],
            "properties": {
                "bbox": {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}},
                "crs": {"type": "string", "enum": [CRS84], "default": CRS84},
            },
        },
    ]
}
_DOCUMENT_SCHEMA: dict[str, JsonValue] = {
    "oneOf": [
        {"type": "string", "contentMediaType": "text/plain"},
        {"type": "string", "contentMediaType": "application/xml"},
    ]
}


class BoundingBox(Inputs):
    """An area between west, south, east and north (and, with six numbers, between two heights)."""

    bbox: list[float] = Field(min_length=4, max_length=6)
    crs: Literal["http://www.opengis.net/def/crs/OGC/1.3/CRS84"] = CRS84


class Document(Inputs):
    """A text that says what kind it is."""

    model_config = ConfigDict(populate_by_name=True)

    value: str
    media_type: Literal["text/plain", "application/xml"] = Field(default="text/plain", alias="mediaType")


Area = Annotated[BoundingBox, WithJsonSchema(_AREA_SCHEMA)]
AnyDocument = Annotated[str | Document, WithJsonSchema(_DOCUMENT_SCHEMA)]


class EchoInputs(Inputs):
    """What to give back, and after how long."""

    message: str = Field(title="Message", description="A text.", max_length=16384)
    pause: int = Field(
        default=0,
        ge=0,
        le=MAX_PAUSE_SECONDS,
        title="Pause",
        description="Seconds to wait before answering, to see a job that takes its time.",
    )
    numbers: list[int] | None = Field(default=None, title="Numbers", description="Whole numbers.", max_length=1000)
    area: Area | None = Field(default=None, title="Area", description="A bounding box in longitude and latitude.")
    document: AnyDocument | None = Field(
        default=None, title="Document", description="A plain text or an XML text; the latter as value and mediaType."
    )


class EchoOutputs(Outputs):
    """What was given; what was not given is left out."""

    message: Annotated[JsonValue, WithJsonSchema({"type": "string"})] = Field(title="Message")
    numbers: Annotated[JsonValue, WithJsonSchema({"type": "array", "items": {"type": "integer"}})] = Field(
        default=None, title="Numbers"
    )
    area: Annotated[JsonValue, WithJsonSchema(_AREA_SCHEMA)] = Field(default=None, title="Area")
    document: Annotated[JsonValue, WithJsonSchema(_DOCUMENT_SCHEMA)] = Field(default=None, title="Document")


ECHO = Process(
    id="echo",
    title="Echo",
    description="Gives its inputs back as outputs. Runs like any other job, so it shows that an installation works.",
    version="1.0.0",
    inputs=EchoInputs,
    outputs=EchoOutputs,
    keywords=("test",),
    examples=({"message": "hello", "pause": 2},),
)
