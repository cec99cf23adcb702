"""The way in: landing page, conformance, and the definition of the API."""

from typing import cast

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import JsonValue
from starlette.responses import HTMLResponse, JSONResponse, Response

from climatejobs.ogc.documents import Document, Link
from climatejobs.ogc.links import JSON, RELATIONS, Links
from climatejobs_api.context import Context, Current, RequestLinks
from climatejobs_api.definition import HTML, OPENAPI_30, OPENAPI_31, downgrade, name_created, render
from climatejobs_api.documents import respond
from climatejobs_api.negotiation import require_json

_CLASSES = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
_ALWAYS = ("ogc-process-description", "json", "oas30", "job-list", "callback", "dismiss")


def list_classes(*, strict: bool) -> tuple[str, ...]:
    """The classes whose every requirement is met; those of the core are in strict mode alone."""
    return tuple(_CLASSES + name for name in (("core", *_ALWAYS) if strict else _ALWAYS))


router = APIRouter(tags=["landing"])


class Landing(Document):
    """Where everything begins."""

    title: str
    description: str
    links: tuple[Link, ...]


class Conformance(Document):
    """What of the standard is met."""

    conforms_to: tuple[str, ...]


@router.get(
    "/",
    operation_id="getLandingPage",
    summary="Where everything begins",
    response_model=Landing,
    dependencies=[Depends(require_json)],
)
async def get_landing_page(request: Request, links: RequestLinks) -> Response:
    app = cast(FastAPI, request.app)
    return respond(Landing(title=app.title, description=app.description, links=_landing_links(links)))


@router.get(
    "/conformance",
    operation_id="getConformance",
    summary="What of the standard is met",
    response_model=Conformance,
    dependencies=[Depends(require_json)],
)
async def get_conformance(context: Current) -> Response:
    return respond(Conformance(conforms_to=list_classes(strict=context.settings.strict)))


@router.get("/openapi.json", include_in_schema=False)
async def get_definition(request: Request, context: Current, links: RequestLinks) -> Response:
    return JSONResponse(_define(request, context, links), media_type=OPENAPI_31)


@router.get("/openapi-3.0.json", include_in_schema=False)
async def get_plain_definition(request: Request, context: Current, links: RequestLinks) -> Response:
    return JSONResponse(downgrade(_define(request, context, links)), media_type=OPENAPI_30)


@router.get("/api.html", include_in_schema=False)
async def get_definition_page(request: Request, context: Current, links: RequestLinks) -> Response:
    headers = {"Content-Security-Policy": "default-src 'none'"}
    return HTMLResponse(render(_define(request, context, links)), headers=headers)


def _define(request: Request, context: Context, links: Links) -> dict[str, JsonValue]:
    definition: dict[str, JsonValue] = {**cast(FastAPI, request.app).openapi(), "servers": [{"url": links.base}]}
    return name_created(definition) if context.settings.strict else definition


def _landing_links(links: Links) -> tuple[Link, ...]:
    return (
        Link(href=links.landing(), rel="self", type=JSON, title="This page"),
        Link(href=links.to("openapi-3.0.json"), rel="service-desc", type=OPENAPI_30, title="Definition of the API"),
        Link(href=links.to("openapi.json"), rel="service-desc", type=OPENAPI_31, title="Definition of the API"),
        Link(href=links.to("api.html"), rel="service-doc", type=HTML, title="Definition of the API, to read"),
        Link(
            href=links.to("conformance"), rel=f"{RELATIONS}conformance", type=JSON, title="What of the standard is met"
        ),
        Link(href=links.to("processes"), rel=f"{RELATIONS}processes", type=JSON, title="Processes"),
        Link(href=links.to("jobs"), rel=f"{RELATIONS}job-list", type=JSON, title="Jobs"),
        Link(href=links.to("datasets"), rel="data", type=JSON, title="Data sets"),
    )
