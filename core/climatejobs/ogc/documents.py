"""Base of the JSON documents that are answered: camelCase, and without members that are not set."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A JSON document."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Link(Document):
    """A link of the kind that all OGC API standards share."""

    href: str
    rel: str
    type: str | None = None
    title: str | None = None


def render(document: BaseModel) -> str:
    """The document as JSON, in one line."""
    return document.model_dump_json(by_alias=True, exclude_none=True)
