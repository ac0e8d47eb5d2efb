"""What looks and costs nothing: one get, many gets, the list of 500, a view, and a get beside large creates."""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from benchmarks.spread import Spread, milliseconds, spread, timed
from benchmarks.workload import Bench, bench, pictures

RUNS = 15
MANY = 200
LARGE = "9.5 MB"


def main() -> dict[str, Any]:
    """Print the rows."""
    with pictures() as folder, bench(0, folder) as running:
        ours(running, "get_try_on", 3)
        floor(running, 3)
        print(f"\nReads: medians of {RUNS} with [quartiles]")
        rows: dict[str, Any] = {}
        for name, many, goal in (("get", 1, 4.0), (f"{MANY} gets at once", MANY, 1.8)):
            floors: list[float] = []
            found: list[float] = []
            for _ in range(RUNS):
                floors.append(timed(partial(floor, running, many)))
                found.append(timed(partial(ours, running, "get_try_on", many)))
            rows[name] = {"floor": spread(floors), "kolors": spread(found), "ratio": median(found) / median(floors)}
            told(
                name, rows[name]["kolors"], f"x{rows[name]['ratio']:.2f} of {median(floors) * 1000:.1f} ms, goal {goal}"
            )
        rows["list of 500"] = spread([timed(partial(ours, running, "list_try_ons", 1)) for _ in range(RUNS)])
        told("list of 500", rows["list of 500"])
        rows["view of a 1 MB picture"] = spread([timed(partial(ours, running, "view_try_on", 1)) for _ in range(RUNS)])
        told("view of a 1 MB picture", rows["view of a 1 MB picture"])
        floors = [beside_large(running, partial(floor, running, 1), floor_create) for _ in range(RUNS)]
        found = [beside_large(running, partial(ours, running, "get_try_on", 1), our_create) for _ in range(RUNS)]
        worst = {"floor": max(floors), "kolors": max(found), "ratio": max(found) / max(floors)}
        name = "get beside 2 creates of 2 x 9.5 MB"
        rows[name] = {"floor": spread(floors), "kolors": spread(found), "worst": worst}
        told(name, rows[name]["kolors"], f"worst {max(found) * 1000:.1f} ms, x{worst['ratio']:.2f}, goal 1.4")
        return rows


def told(name: str, figure: Spread, more: str = "") -> None:
    """Print one row."""
    print(f"  {name:<36}{milliseconds(figure):>30}  {more}")


def floor(running: Bench, many: int) -> None:
    """Get so many at the floor."""
    for number in [running.floor.send({"get": str(each)}) for each in range(many)]:
        running.floor.wait(number)


def ours(running: Bench, tool: str, many: int) -> None:
    """Call a tool that looks so many times at once; the cheap Kling has tasks of every name."""
    arguments: dict[str, dict[str, Any]] = {
        "get_try_on": {"wait_seconds": 0},
        "list_try_ons": {"page_size": 500},
        "view_try_on": {"task_id": "7"},
    }
    named = [{"task_id": f"9{each}"} if tool == "get_try_on" else {} for each in range(many)]
    for number in [running.server.call(tool, {**arguments[tool], **name}) for name in named]:
        running.server.result(number)


Finish = Callable[[], object]


def our_create(running: Bench, wish: dict[str, Any]) -> Finish:
    """Begin a create; return what waits for its end."""
    return partial(running.server.result, running.create(wish))


def floor_create(running: Bench, wish: dict[str, Any]) -> Finish:
    """Begin the same at the floor."""
    return partial(running.floor.wait, running.floor_create("file", LARGE, wish))


def beside_large(running: Bench, get: Finish, create: Callable[[Bench, dict[str, Any]], Finish]) -> float:
    """Return the seconds of a get while two creates of the largest pictures run in the same program."""
    wish = running.wish("file", LARGE)
    busy = [create(running, wish) for _ in range(2)]
    seconds = timed(get)
    for finish in busy:
        finish()
    return seconds


if __name__ == "__main__":
    main()
