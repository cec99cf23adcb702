"""Data sets: which there are, and their Zarr stores over plain HTTP."""

from html import escape
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from climatejobs.datasets import Dataset, store_path, table_path
from climatejobs.errors import ClimateJobsError, InvalidInput
from climatejobs.ogc.documents import Link
from climatejobs.ogc.links import CSV, JSON, PARQUET
from climatejobs_api.context import Current, Cursor, Limit, RequestLinks
from climatejobs_api.datasets import DatasetList, DatasetPage, describe_dataset, list_ids, read_dataset
from climatejobs_api.documents import respond
from climatejobs_api.files import DataRoot, answer_file, list_below
from climatejobs_api.pagination import DEFAULT_LIMIT, decode_cursor, encode_cursor
from climatejobs_api.problems import Problem

router = APIRouter(prefix="/datasets", tags=["datasets"])

CURRENT = "no-cache"
"""Whoever keeps a copy has to ask whether it is still current."""
IMMUTABLE = "public, max-age=31536000, immutable"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file of the store; of a folder, the names in it.",
        "content": {"application/octet-stream": {}, "text/html": {}},
    },
    206: {
        "description": "The bytes that the header Range asks for.",
        "content": {"application/octet-stream": {}},
    },
    304: {"description": "Nothing has changed since the ETag in If-None-Match was given."},
    308: {"description": "The path is that of a folder, whose address ends with a slash."},
}


@router.get("", operation_id="getDatasets", summary="The data sets there are", response_model=DatasetList)
async def get_datasets(
    context: Current, links: RequestLinks, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    last = decode_cursor(cursor) if cursor else ""
    page, more = await to_thread.run_sync(_read_page, context.settings.data, last, limit)
    own = [Link(href=links.to("datasets"), rel="self", type=JSON, title="Data sets")]
    if more:
        following = links.page("datasets", limit=limit, cursor=encode_cursor(more))
        own.append(Link(href=following, rel="next", type=JSON, title="Next page"))
    return respond(DatasetList(datasets=tuple(describe_dataset(each, links) for each in page), links=tuple(own)))


@router.get("/{dataset_id}", operation_id="getDataset", summary="A data set", response_model=DatasetPage)
async def get_dataset(dataset_id: str, context: Current, links: RequestLinks) -> Response:
    dataset = await to_thread.run_sync(read_dataset, context.settings.data, dataset_id)
    return respond(describe_dataset(dataset, links))


@router.get("/{dataset_id}/zarr", include_in_schema=False)
@router.get(
    "/{dataset_id}/zarr/{path:path}",
    operation_id="getCurrentFile",
    summary="A file of the current version",
    response_model=None,
    responses=_FILE,
)
async def get_current_file(dataset_id: str, request: Request, context: Current, path: str | None = None) -> Response:
    data = context.settings.data
    dataset = await to_thread.run_sync(read_dataset, data, dataset_id)
    return await _answer(data, store_path(dataset_id, dataset.version), path, request, cache_control=CURRENT)


@router.get("/{dataset_id}/versions/{version}/zarr", include_in_schema=False)
@router.get(
    "/{dataset_id}/versions/{version}/zarr/{path:path}",
    operation_id="getVersionFile",
    summary="A file of one version, which never changes",
    response_model=None,
    responses=_FILE,
)
async def get_version_file(
    dataset_id: str, version: str, request: Request, context: Current, path: str | None = None
) -> Response:
    try:
        store = store_path(dataset_id, version)
    except InvalidInput as error:
        raise Problem(404, detail=error.detail, hint=error.hint) from None
    return await _answer(context.settings.data, store, path, request, cache_control=IMMUTABLE)


@router.get(
    "/{dataset_id}/versions/{version}/table.{suffix}",
    operation_id="getVersionTable",
    summary="A table of one version, which never changes",
    response_model=None,
    responses={200: {"description": "The table.", "content": {PARQUET: {}, CSV: {}}}},
)
async def get_version_table(
    dataset_id: str, version: str, suffix: Literal["parquet", "csv"], request: Request, context: Current
) -> Response:
    try:
        table = table_path(dataset_id, version, suffix)
        return await answer_file(context.settings.data, table, request, cache_control=IMMUTABLE)
    except InvalidInput as error:
        raise Problem(404, detail=error.detail, hint=error.hint) from None
    except (FileNotFoundError, IsADirectoryError):
        raise Problem(
            404, detail=f"version {version} of {dataset_id} has no table", hint="Open its Zarr store."
        ) from None


def _read_page(data: DataRoot, after: str, limit: int) -> tuple[list[Dataset], str | None]:
    """Data sets whose ids follow `after`, and the last id where more follow; unreadable ones are left out."""
    ids = [each for each in list_ids(data) if each > after]
    page: list[Dataset] = []
    for dataset_id in ids[:limit]:
        try:
            page.append(read_dataset(data, dataset_id))
        except ClimateJobsError:
            continue
    return page, ids[limit - 1] if len(ids) > limit else None


async def _answer(
    data: DataRoot, store: PurePosixPath, path: str | None, request: Request, *, cache_control: str
) -> Response:
    """A file of a store, or the list of a folder, which is what opens a store without consolidated metadata."""
    inner = (path or "").removesuffix("/")
    if any(part in ("", ".", "..") for part in inner.split("/")) and inner:
        raise _no_such_file(store, path)
    below = store / inner
    folder = path is not None and (not path or path.endswith("/"))
    try:
        if folder:
            return _list_folder(await to_thread.run_sync(list_below, data, below), cache_control)
        return await answer_file(data, below, request, cache_control=cache_control)
    except FileNotFoundError:
        raise _no_such_file(store, path) from None
    except IsADirectoryError:
        return RedirectResponse(f"{quote(below.name if inner else 'zarr')}/", status_code=308)


def _list_folder(names: list[str], cache_control: str) -> Response:
    items = "\n".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
    page = f"<!DOCTYPE html>\n<title>Files</title>\n<ul>\n{items}\n</ul>\n"
    headers = {"Cache-Control": cache_control, "Content-Security-Policy": "default-src 'none'"}
    return HTMLResponse(page, headers=headers)


def _no_such_file(store: PurePosixPath, path: str | None) -> Problem:
    return Problem(404, detail=f"{store} has no file {path!r}" if path else f"there is no {store}")
