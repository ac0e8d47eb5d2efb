"""One service for many tests: each has users of its own, and sees of Kling and the shelf only what is new."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kolors_mcp.sandbox.kling import SandboxKling
from kolors_mcp.sandbox.running import running
from kolors_mcp.sandbox.tasks import Task
from tests.support.commands import account_of, environment
from tests.support.over_http import Serving, serving
from tests.support.shoppers import tokens_of

MOST_USERS = 400
"""More than there are tests in a run, two each."""


@dataclass(frozen=True)
class RunningShop:
    """The service, its Kling, which is finished before anybody asks, and who has not used it yet."""

    service: Serving
    kling: SandboxKling
    shelf: Path
    strangers: Iterator[str]


class Shop:
    """What one test has of it."""

    def __init__(self, shop: RunningShop) -> None:
        self.service, self.kling, self.shelf = shop.service, shop.kling, shop.shelf
        self.ana, self.ben = next(shop.strangers), next(shop.strangers)
        self._files, self._tasks = set(files_on(self.shelf)), len(self.kling.tasks.all)

    @property
    def tasks(self) -> list[Task]:
        """What Kling has been asked to make."""
        return self.kling.tasks.all[self._tasks :]

    @property
    def files(self) -> list[Path]:
        """All that has been put on the shelf."""
        return [file for file in files_on(self.shelf) if file not in self._files]

    @property
    def photos(self) -> list[Path]:
        """Of that, the kept photos."""
        return [file for file in photos_on(self.shelf) if file not in self._files]


def files_on(shelf: Path) -> list[Path]:
    return [file for file in shelf.rglob("*") if file.is_file()]


def photos_on(shelf: Path) -> list[Path]:
    return files_on(shelf / "photos")


@contextmanager
def running_shop(folder: Path) -> Generator[RunningShop]:
    kling = SandboxKling()
    kling.rules.speed = 1_000_000
    names = [f"user-{number}" for number in range(MOST_USERS)]
    shelf = folder / "pictures"
    with running(kling):
        env = environment(
            folder,
            **account_of(kling),
            **tokens_of(folder, *names),
            KOLORS_SHELF=str(shelf),
            # What the tests before have made, and nobody has looked at since, keeps nobody waiting.
            KOLORS_SLOTS=str(MOST_USERS),
        )
        with serving(env, folder) as service:
            yield RunningShop(service, kling, shelf, iter(names))
