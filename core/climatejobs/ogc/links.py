"""The addresses of everything that the API serves, below one base."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from climatejobs.ogc.documents import Link

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0/"
JSON = "application/json"
ZARR = "application/vnd.zarr"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"


@lru_cache(maxsize=1024)
def _quote_segment(segment: str) -> str:
    """Kept: a page of jobs holds hundreds of addresses with the same few parts."""
    return quote(segment, safe="")


@dataclass(frozen=True)
class Links:
    """Addresses of everything that is served, below one base."""

    base: str

    def to(self, *segments: str) -> str:
        """The address of a path, each segment quoted."""
        return "/".join((self.base, *map(_quote_segment, segments)))

    def landing(self) -> str:
        return f"{self.base}/"

    def process(self, process_id: str) -> str:
        return self.to("processes", process_id)

    def job(self, job_id: str) -> str:
        return self.to("jobs", job_id)

    def results(self, job_id: str) -> str:
        return self.to("jobs", job_id, "results")

    def events(self, job_id: str) -> str:
        return self.to("jobs", job_id, "events")

    def log(self, job_id: str) -> str:
        return self.to("jobs", job_id, "logs")

    def output(self, job_id: str, output: str) -> str:
        return self.to("jobs", job_id, "results", output)

    def dataset(self, dataset_id: str) -> str:
        return self.to("datasets", dataset_id)

    def current_zarr(self, dataset_id: str) -> str:
        """The store of whatever version is current when it is read."""
        return self.to("datasets", dataset_id, "zarr")

    def version_zarr(self, dataset_id: str, version: str) -> str:
        """The store of one version, which never changes."""
        return self.to("datasets", dataset_id, "versions", version, "zarr")

    def version_table(self, dataset_id: str, version: str, suffix: str) -> str:
        """A table of one version, which never changes."""
        return self.to("datasets", dataset_id, "versions", version, f"table.{suffix}")

    def page(self, collection: str, *, limit: int, cursor: str) -> str:
        """A page of a collection."""
        return f"{self.to(collection)}?limit={limit}&cursor={quote(cursor)}"

    def of_dataset(self, dataset_id: str, version: str) -> tuple[Link, ...]:
        """Where a data set, one of its versions and its current version are."""
        return (
            Link(href=self.dataset(dataset_id), rel="describedby", type=JSON, title="Description of the data set"),
            Link(
                href=self.version_zarr(dataset_id, version), rel="enclosure", type=ZARR, title="This version, as Zarr"
            ),
            Link(href=self.current_zarr(dataset_id), rel="latest-version", type=ZARR, title="Current version, as Zarr"),
        )
