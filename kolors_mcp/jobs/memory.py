"""What this process remembers of jobs beside the ledger: what creates were given, and how large pictures are."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from kolors_mcp.pictures import Given, InlinePicture

MAX_INPUT_CHARACTERS = 8_000_000
"""Of what creates were given, the latest first: mostly paths and links, which are short; base64 counts whole, and as
the bytes that it says where it was read already."""
MAX_SIZES = 200
MAX_CALLBACKS = 1000

K = TypeVar("K")
V = TypeVar("V")


class Inputs(NamedTuple):
    """Where the pictures of a create came from, as they were given."""

    person: Given | None
    """None, as the others: not any more."""
    garment: Given | None
    lower: Given | None = None
    """The lower garment, where there was one."""

    def without(self, source: str) -> "Inputs":
        """Return them without what came from there, whatever its case."""

        def left(given: Given | None) -> Given | None:
            return None if isinstance(given, str) and given.strip().lower() == source.lower() else given

        return Inputs(left(self.person), left(self.garment), left(self.lower))

    def kept(self) -> "Inputs":
        """Return them as they are remembered for longer than their call."""
        return Inputs(_kept(self.person), _kept(self.garment), _kept(self.lower))

    def let_go(self) -> None:
        """Forget the pictures that came in the message: the call may have to wait for long."""
        for given in (self.person, self.garment, self.lower):
            if isinstance(given, InlinePicture):
                given.let_go()

    @property
    def weight(self) -> int:
        """Characters of all of them."""
        return sum(map(_weight_of, (self.person, self.garment, self.lower)))


def _kept(given: Given | None) -> Given | None:
    return given.kept() if isinstance(given, InlinePicture) else given


def _weight_of(given: Given | None) -> int:
    if given is None:
        return 0
    return len(given.data if isinstance(given, InlinePicture) else given)


class Latest(Generic[K, V]):
    """The latest values by key, up to a weight that they have together; the oldest are forgotten first."""

    def __init__(self, max_weight: int, weight_of: Callable[[V], int] = lambda _value: 1) -> None:
        """Start with none."""
        self._max_weight = max_weight
        self._weight_of = weight_of
        self._weight = 0
        self._values: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value, unless it was forgotten."""
        return self._values.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keep a value as long as there is room. One that is kept already stays where it is, with its new value."""
        if key in self._values:
            self._weight -= self._weight_of(self._values[key])
        self._values[key] = value
        self._weight += self._weight_of(value)
        while self._weight > self._max_weight:
            self._weight -= self._weight_of(self._values.pop(next(iter(self._values))))

    def change(self, changed: Callable[[V], V]) -> None:
        """Put something else in the place of each."""
        for key, value in list(self._values.items()):
            self.keep(key, changed(value))


class Memory:
    """Shared by all calls of a process; nothing of it is written down."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._inputs: Latest[str, Inputs] = Latest(MAX_INPUT_CHARACTERS, lambda one: one.weight)
        self._sizes: Latest[tuple[str, int], int] = Latest(MAX_SIZES)
        self._callbacks: Latest[str, str] = Latest(MAX_CALLBACKS)

    def keep_inputs(self, reference: str, inputs: Inputs) -> None:
        """Keep what a create was given; of the same create only what it was given first, which is what was sent."""
        if self._inputs.get(reference) is None:
            self._inputs.keep(reference, inputs.kept())

    def inputs_of(self, reference: str) -> Inputs | None:
        """Return what a create was given, if it was of late, by this process."""
        return self._inputs.get(reference)

    def forget_source(self, source: str) -> None:
        """Forget what creates were given from there: what is there next is another picture."""
        self._inputs.change(lambda inputs: inputs.without(source))

    def keep_callback(self, reference: str, callback_url: str | None) -> None:
        """Keep which address Kling was given with a create."""
        if callback_url is not None:
            self._callbacks.keep(reference, callback_url)

    def callback_of(self, reference: str) -> str | None:
        """Return which address Kling calls about a create; None if it calls none, or it is not known here."""
        return self._callbacks.get(reference)

    def keep_size(self, task_id: str, index: int, size: int) -> None:
        """Keep how many bytes of a picture were handed out."""
        self._sizes.keep((task_id, index), size)

    def size_of(self, task_id: str, index: int) -> int | None:
        """Return how many bytes of a picture were handed out of late."""
        return self._sizes.get((task_id, index))
