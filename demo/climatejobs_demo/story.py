"""The demo, step by step, each said before it is done."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import xarray as xr

from climatejobs_cluster.console import Console
from climatejobs_cluster.errors import ClusterError
from climatejobs_demo.cluster import ROOT, Cluster, CommandFailed, run
from climatejobs_demo.installation import Installation, build_images, dataset_id_of, split_helm_arguments
from climatejobs_demo.result import describe

NAMESPACE = "climatejobs"
TARGETS = {"hourly": "1D", "daily": "MS", "monthly": "YS"}
PATIENCE_SECONDS = 600

type Json = dict[str, Any]


class DemoFailed(Exception):
    """The demo cannot go on; the text says why."""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 if everything was seen to work."""
    options = _parser().parse_args(arguments)
    cluster = Cluster(options.cluster)
    console = Console()
    try:
        _run(options, cluster, console)
    except (CommandFailed, ClusterError, DemoFailed, httpx.HTTPError, OSError) as error:
        sys.stdout.flush()
        print(f"\nThe demo failed: {error}\n{_where_to_look(cluster)}", file=sys.stderr)
        return 1
    print("demo: ok")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description="climatejobs on a real cluster")
    parser.add_argument("--cluster", default="demo")
    parser.add_argument("--port", type=int, default=8080, help="port of the API on 127.0.0.1")
    parser.add_argument("--data", type=Path, help="a netCDF file to use instead of synthetic data")
    parser.add_argument("--variable", help="the variable of that file")
    parser.add_argument("--helm-args", default="", help="more arguments for helm, as one text")
    return parser


def _run(options: argparse.Namespace, cluster: Cluster, console: Console) -> None:
    file = cast(Path | None, options.data)
    if file is not None and not file.is_file():
        raise DemoFailed(f"there is no file {file}; DATA must name a netCDF file")

    console.say("Bringing up a Kubernetes cluster (the first time builds Kubernetes, which takes some minutes)")
    cluster.tool("up")
    console.say("Building the images")
    run(str(ROOT / "images" / "build"))
    images = build_images()
    console.say("Loading the images into the cluster")
    cluster.tool("load", *images.archives)

    installation = Installation(cluster, NAMESPACE)
    console.say("Installing the chart with helm")
    installation.install(images, split_helm_arguments(options.helm_args))
    api = installation.forward(options.port)
    _wait_until_ready(api)

    dataset_id = dataset_id_of(file)
    console.say(f"Bringing in data: {file.name if file else 'synthetic hourly temperature, made up for this demo'}")
    print(_indented(installation.bring_in(images, file, dataset_id=dataset_id, variable=options.variable)))

    source = _get(f"{api}/datasets/{dataset_id}")
    request = {
        "inputs": {
            "source_dataset_id": dataset_id,
            "frequency": _target(source),
            "method": "mean",
            "start": source["coverage"]["start"],
        }
    }
    console.say("Submitting a job over REST")
    print(f"  {_curl(api, request)}")
    job = _submit(api, request)
    _follow(job["location"], console)

    console.say("The same job, seen by kubectl")
    print(_indented(installation.kubectl("get", "climatejobs")))

    console.say("Opening the result over HTTP with xarray")
    results = _get(f"{job['location']}/results")
    address = results["href"]
    print(f"  xarray.open_zarr({address!r})")
    with xr.open_zarr(address) as dataset:  # pyright: ignore[reportUnknownMemberType] - partly untyped in xarray
        print(_indented("\n".join(describe(dataset, results["variables"][0]))))
    console.say("Done; the cluster and the API stay up until `make down`")
    print(_how_to_go_on(api, cluster.name, request))


def _target(source: Json) -> str:
    try:
        return TARGETS[source["period_type"]]
    except KeyError:
        raise DemoFailed(
            f"the demo has no frequency to resample {source['period_type']} data to; use hourly, daily or monthly data"
        ) from None


def _wait_until_ready(api: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{api}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise DemoFailed(f"{api}/readyz did not answer 200 within 60 s")
        time.sleep(0.2)


def _get(address: str) -> Json:
    return _json(httpx.get(address, timeout=60))


def _submit(api: str, request: Json) -> Json:
    answer = httpx.post(
        f"{api}/processes/resample/execution", json=request, headers={"Prefer": "respond-async"}, timeout=60
    )
    body = _json(answer)
    location = answer.headers["location"]
    print(f"  {answer.status_code} {answer.reason_phrase}, Location: {location}")
    return {**body, "location": location}


def _json(answer: httpx.Response) -> Json:
    if answer.is_error:
        raise DemoFailed(f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {answer.text}")
    return cast(Json, answer.json())


def _follow(location: str, console: Console) -> None:
    """Say every change of the job's state until it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while time.monotonic() < deadline:
        job = _get(location)
        words = f"{job['phase']}: {job.get('message', '')} ({job.get('progress', 0)} %)"
        if words != said:
            console.say(f"  {words}")
            said = words
        if job["status"] == "successful":
            return
        if job["status"] in ("failed", "dismissed"):
            raise DemoFailed(f"the job ended as {job['status']}: {json.dumps(job.get('error', {}), indent=2)}")
        time.sleep(0.5)
    raise DemoFailed(f"the job has not ended within {PATIENCE_SECONDS} s; last seen: {said}")


def _how_to_go_on(api: str, cluster: str, request: Json) -> str:
    tool = "cluster/cluster" if cluster == "demo" else f"cluster/cluster --name {cluster}"
    return f"""
How to go on, from this folder:
  curl {api}/jobs
  {_curl(api, request)}
  {tool} exec -- kubectl --namespace {NAMESPACE} get climatejobs
  {tool} exec -- helm --namespace {NAMESPACE} status climatejobs
  export KUBECONFIG=$({tool} kubeconfig)    # then your own kubectl and helm work as well
  make down                                 # takes everything away again
The API is at {api}
"""


def _curl(api: str, request: Json) -> str:
    headers = "-H 'Prefer: respond-async' -H 'Content-Type: application/json'"
    return f"curl -i {headers} -d '{json.dumps(request)}' {api}/processes/resample/execution"


def _where_to_look(cluster: Cluster) -> str:
    tool = "cluster/cluster" if cluster.name == "demo" else f"cluster/cluster --name {cluster.name}"
    return (
        f"Look into it with:  {tool} status    (state of the cluster, and where its logs are)\n"
        f"                    {tool} exec -- kubectl --namespace {NAMESPACE} get pods,events,climatejobs\n"
        "Take it down with:  make down"
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
