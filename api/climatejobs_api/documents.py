"""Base of the JSON documents that are answered: camelCase, and without members that are not set."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from starlette.responses import Response


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


def respond(document: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response that carries a document."""
    response = Response(render(document), status_code=status, headers=headers, media_type="application/json")
    add_links(response, getattr(document, "links", ()))
    return response


def add_links(response: Response, links: Sequence[Link]) -> None:
    """Repeat the links of a document as headers, for clients that read no further."""
    for link in links:
        kind = f'; type="{link.type}"' if link.type else ""
        response.headers.append("Link", f'<{link.href}>; rel="{link.rel}"{kind}')
