"""An event loop in which small calls go first: what large ones do waits, and comes in short spells between the others.

A create with its pictures in it is a hundred pieces of work for the loop, a look at a try-on some twenty. With many
creates under way, a look would wait for a piece of each of them before each of its own.
"""

import sys
from asyncio import AbstractEventLoop, Handle
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import NamedTuple

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as UsualLoop
else:
    from asyncio import SelectorEventLoop as UsualLoop

LARGE: ContextVar[bool] = ContextVar("large", default=False)
"""Whether what runs, and all that it starts, belongs to a call that moves pictures."""
SPELL_SECONDS = 0.0002
"""For which large calls go on before the loop looks what else there is to do; at least one piece of them is done."""
MAX_HELD_SECONDS = 0.002
"""For which small calls may keep large ones from their next spell: these get a tenth of the time at least."""


class _Piece(NamedTuple):
    """Something that a large call has to do."""

    handle: Handle
    do: Callable[[], object]

    def run(self, loop: AbstractEventLoop) -> None:
        """Do it, unless it was called off; what fails is told as the loop tells of it elsewhere."""
        if self.handle.cancelled():
            return
        try:
            self.do()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  (whatever it is, the loop goes on, as it does for small ones)
            loop.call_exception_handler(
                {"message": "a call failed in the loop", "exception": error, "handle": self.handle}
            )


class SmallFirstLoop(UsualLoop):
    """Keeps what `LARGE` calls have to do in a queue of its own."""

    def __init__(self) -> None:
        """Have nothing to do."""
        super().__init__()
        self._large: deque[_Piece] = deque()
        self._is_to_go_on = False
        """Whether `_go_on` will be called."""
        self._small_came = False
        """Whether something small is to be done, since large calls were thought of last."""
        self._last_spell = 0.0

    def call_soon(self, callback: Callable[..., object], *args: object, context: Context | None = None) -> Handle:
        """Call something soon: at the next turn, or where it belongs to a large call, when large ones go on."""
        if not (LARGE.get() if context is None else context.get(LARGE, False)):
            self._small_came = True
            return super().call_soon(callback, *args, context=context)
        context = context or copy_context()
        handle = Handle(callback, args, self, context)
        self._large.append(_Piece(handle, partial(context.run, callback, *args)))
        self._call_go_on()
        return handle

    def _call_go_on(self) -> None:
        if not self._is_to_go_on:
            self._is_to_go_on = True
            super().call_soon(self._go_on, context=_NOTHING)

    def _go_on(self) -> None:
        """Do some of what large calls have to do, unless small ones have something to do first."""
        self._is_to_go_on = False
        now = self.time()
        try:
            if not self._small_came or now - self._last_spell >= MAX_HELD_SECONDS:
                self._last_spell = now
                self._do_large(until=now + SPELL_SECONDS)
        finally:
            self._small_came = False
            if self._large:
                self._call_go_on()

    def _do_large(self, *, until: float) -> None:
        while self._large:
            self._large.popleft().run(self)
            if self.time() >= until:
                return


_NOTHING = Context()
"""Where nothing is set; a loop that goes on belongs to no call."""
