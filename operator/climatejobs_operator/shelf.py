"""The objects of one kind, as they were when they were last heard of: an older version never replaces a newer one."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

MAX_REMEMBERED = 4096


class Metadata(Protocol):
    """Which object, and which state of it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def resource_version(self) -> str:
        """Its version."""
        ...


class HasMetadata(Protocol):
    """Anything with object metadata."""

    @property
    def metadata(self) -> Metadata:
        """Name and version."""
        ...


class Shelf[T: HasMetadata]:
    """The objects of one kind, by name."""

    def __init__(
        self,
        job_name: Callable[[T], str],
        tell: Callable[[str], None],
        *,
        keep_ended: Callable[[T], bool] | None = None,
        fold: Callable[[T], None] | None = None,
    ) -> None:
        self._job_name = job_name
        self._tell = tell
        self._keep_ended = keep_ended
        self._fold = fold
        self._objects: dict[str, T] = {}
        self._by_job: dict[str, dict[str, T]] = {}
        self._outlived: set[str] = set()
        """Names of objects that are held although they are deleted."""
        self._gone: dict[str, int] = {}
        """Version at which a name was last deleted, so that late news does not bring it back."""

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: str) -> T | None:
        """The object of that name."""
        return self._objects.get(name)

    def names(self) -> Collection[str]:
        """The names of all objects, as they are now."""
        return tuple(self._objects)

    def values(self) -> Collection[T]:
        """All objects, as they are now."""
        return tuple(self._objects.values())

    def of_job(self, job_name: str) -> Collection[T]:
        """The objects that belong to a ClimateJob."""
        return self._by_job.get(job_name, {}).values()

    def put(self, item: T) -> bool:
        """Take in an object; False where it is not news."""
        name = item.metadata.name
        if not self.is_news(name, version_of(item)):
            return False
        self._discard(name)
        self._objects[name] = item
        self._by_job.setdefault(self._job_name(item), {})[name] = item
        self._tell(self._job_name(item))
        if self._fold is not None:
            self._fold(item)
        return True

    def is_news(self, name: str, version: int) -> bool:
        """Whether nothing as late as that version is known of that name."""
        present = self._objects.get(name)
        return version > max(version_of(present) if present is not None else 0, self._gone.get(name, 0))

    def remove(self, item: T) -> bool:
        """Take in that an object was deleted, in its last state; False where that is not news."""
        if self._keep_ended is None or not self._keep_ended(item):
            return self.forget(item.metadata.name, version_of(item), self._job_name(item))
        present = self._objects.get(item.metadata.name)
        if present is not None and version_of(item) < version_of(present):
            return False
        # How a pod ended is needed until its job has ended, and may be deleted before anybody looked.
        self.put(item)
        self._outlived.add(item.metadata.name)
        return True

    def release(self, job_name: str) -> None:
        """Drop what was held of a ClimateJob although it is deleted."""
        self.discard(item for item in self.of_job(job_name) if item.metadata.name in self._outlived)

    def forget(self, name: str, version: int, job_name: str) -> bool:
        """Take in that nothing is to be known of an object any more; False where later news of it is known."""
        present = self._objects.get(name)
        if present is not None and version < version_of(present):
            return False
        self._note_gone(name, version)
        known = self._discard(name) is not None
        self._tell(job_name)
        return known

    def find_gone(self, listed: Collection[str], version: int) -> list[T]:
        """The objects that are not in a full list at `version`, and of which nothing later is known."""
        return [
            item
            for name, item in self._objects.items()
            if name not in listed
            and version_of(item) <= version
            and not (self._keep_ended is not None and self._keep_ended(item))
        ]

    def discard(self, items: Iterable[T]) -> None:
        """Drop objects of which nothing more is to be known."""
        for item in list(items):
            self._discard(item.metadata.name)
            self._tell(self._job_name(item))

    def _discard(self, name: str) -> T | None:
        self._outlived.discard(name)
        item = self._objects.pop(name, None)
        if item is not None:
            job_name = self._job_name(item)
            siblings = self._by_job[job_name]
            siblings.pop(name, None)
            if not siblings:
                del self._by_job[job_name]
        return item

    def _note_gone(self, name: str, version: int) -> None:
        self._gone.pop(name, None)
        self._gone[name] = version
        if len(self._gone) > MAX_REMEMBERED:
            del self._gone[next(iter(self._gone))]


def version_of(item: HasMetadata) -> int:
    """The resourceVersion as a number: within one kind, a larger one is later."""
    return int(item.metadata.resource_version)
