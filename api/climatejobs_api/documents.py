"""JSON documents as answers, with their links repeated as headers."""

from collections.abc import Sequence

from pydantic import BaseModel
from starlette.responses import Response

from climatejobs.ogc.documents import Link, render


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
