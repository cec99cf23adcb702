"""The way in: landing page, conformance, and the definition of the API."""

from typing import cast

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from climatejobs_api.context import RequestLinks
from climatejobs_api.documents import Document, Link, respond
from climatejobs_api.links import JSON, RELATIONS, Links

OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
_CLASSES = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
CONFORMANCE = tuple(_CLASSES + name for name in ("ogc-process-description", "json", "dismiss"))
"""Only classes whose every requirement is met."""

router = APIRouter(tags=["landing"])


class Landing(Document):
    """Where everything begins."""

    title: str
    description: str
    links: tuple[Link, ...]


class Conformance(Document):
    """What of the standard is met."""

    conforms_to: tuple[str, ...]


@router.get("/", operation_id="getLandingPage", summary="Where everything begins", response_model=Landing)
async def get_landing_page(request: Request, links: RequestLinks) -> Response:
    app = cast(FastAPI, request.app)
    return respond(Landing(title=app.title, description=app.description, links=_landing_links(links)))


@router.get(
    "/conformance", operation_id="getConformance", summary="What of the standard is met", response_model=Conformance
)
async def get_conformance() -> Response:
    return respond(Conformance(conforms_to=CONFORMANCE))


@router.get("/openapi.json", include_in_schema=False)
async def get_definition(request: Request, links: RequestLinks) -> Response:
    definition = cast(FastAPI, request.app).openapi()
    return JSONResponse({**definition, "servers": [{"url": links.base}]}, media_type=OPENAPI)


def _landing_links(links: Links) -> tuple[Link, ...]:
    return (
        Link(href=links.landing(), rel="self", type=JSON, title="This page"),
        Link(href=links.to("openapi.json"), rel="service-desc", type=OPENAPI, title="Definition of the API"),
        Link(
            href=links.to("conformance"), rel=f"{RELATIONS}conformance", type=JSON, title="What of the standard is met"
        ),
        Link(href=links.to("processes"), rel=f"{RELATIONS}processes", type=JSON, title="Processes"),
        Link(href=links.to("jobs"), rel=f"{RELATIONS}job-list", type=JSON, title="Jobs"),
        Link(href=links.to("datasets"), rel="data", type=JSON, title="Data sets"),
    )
