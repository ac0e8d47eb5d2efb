"""What users and their assistants do: they wish, wait, lose answers, ask again, and try what is not theirs."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from tests.soak.words import kind_of_error, reference_in

from .history import History, Look, Probe, Said, names_in
from .pictures import Pictures
from .plan import HEAVY, WishKey, chance
from .wire import Answer, Busy, Gone, Speaker

WAITS = (0, 5, 20, 50)
"""`wait_seconds` of a call, each as likely."""
PATIENCE_SECONDS = (3.0, 70.0, 70.0, 70.0, 70.0)
"""How long a host waits for an answer, each as likely."""
ATTEMPTS, DOUBTS = 12, 6
"""Refusals of a wish, and answers of doubt, after which a user gives up."""
TRIES, TRY_PAUSE = 4, 6.0
"""Of a door where two answers differ, and the seconds between two."""
UNKNOWN_ID = "999999999999999999"
UNKNOWN_REFERENCE = "k-" + 24 * "0"
LIST_SIZE = 200


@dataclass
class User:
    """One user: who they are, how they speak, and what they do."""

    number: int
    canary: str
    speaker: Speaker
    history: History
    pictures: Pictures
    luck: Random
    others: Callable[[int, Random], str | None] = field(default=lambda _user, _luck: None)
    """Gives an id or reference that somebody else was told."""

    async def grant(self, wish: WishKey, until: float) -> None:
        """Do what it takes until a wish has come to an end, but not beyond a moment (monotonic)."""
        luck = chance(self.canary, "wish", wish)
        name: str | None = None
        doubts = attempts = 0
        while time.monotonic() < until and doubts < DOUBTS and attempts < ATTEMPTS:
            if name is None:
                said = await self.create(wish, luck.choice(WAITS), luck.choice(PATIENCE_SECONDS))
            else:
                said = await self.get(wish, name, luck.choice(WAITS), luck.choice(PATIENCE_SECONDS))
            if said.is_final:
                return
            name = said.task_id or said.reference or name
            if said.kind == "doubt":
                doubts += 1
            elif said.kind in ("nothing", "unasked") or (said.kind == "other" and said.tool == "create_try_on"):
                attempts, name = attempts + 1, None
            if said.kind != "task":
                await asyncio.sleep(luck.uniform(0.5, 3.0))

    async def create(self, wish: WishKey, wait: int, patience: float) -> Said:
        """Ask for a wish."""
        human, cloth = (base64.b64encode(each).decode() for each in self.pictures.of(wish))
        arguments = {"human_image": human, "cloth_image": cloth, "wait_seconds": wait, "label": self.label(wish)}
        return await self._said(wish, "create_try_on", arguments, patience)

    async def get(self, wish: WishKey, name: str, wait: int, patience: float) -> Said:
        """Look at a wish by its id or reference."""
        return await self._said(wish, "get_try_on", {"task_id": name, "wait_seconds": wait}, patience)

    def label(self, wish: WishKey) -> str:
        """Return what the user calls a wish."""
        return f"{self.canary} look {wish[1]}"

    async def last_word(self, wish: WishKey, until: float) -> Said | None:
        """Look for a wish when all is quiet again, by every name that its user was told, and return what is said.

        None: nobody ever said anything about it.
        """
        told = [said for said in self.history.said if said.wish == wish]
        names = list(dict.fromkeys(name for said in told for name in (said.task_id, said.reference) if name))
        last = told[-1] if told else None
        while True:
            words: set[str] = set()
            for name in reversed(names):
                last = await self.get(wish, name, 20, PATIENCE_SECONDS[-1])
                words.add(last.kind)
                if last.is_final:
                    return last
            if words <= {"nothing"} or time.monotonic() > until:
                return last
            await asyncio.sleep(1.0)

    async def list(self) -> Said:
        """Look at what is theirs."""
        return await self._said((self.number, -1), "list_try_ons", {"page_size": LIST_SIZE}, PATIENCE_SECONDS[-1])

    async def look(self, said: Said, client: httpx.AsyncClient) -> None:
        """Look at the picture of a finished wish, in full and made smaller."""
        assert said.task_id is not None
        with suppress(Gone, Busy):
            answer = await self._ask("get_try_on", {"task_id": said.task_id, "wait_seconds": 0})
            for image in answer.structured.get("images", ()):
                content = (await client.get(image["url"], headers={"accept": "image/*"})).content
                await self._looked(said.wish, "link", content)
            answer = await self._ask("view_try_on", {"task_id": said.task_id})
            if answer.picture is not None:
                await self._looked(said.wish, "view_try_on", base64.b64decode(answer.picture))

    async def pry(self) -> None:
        """Try another user's id by every door, and what nobody has by the same."""
        if (foreign := self.others(self.number, self.luck)) is None:
            return
        unknown = UNKNOWN_REFERENCE if foreign.startswith("k-") else UNKNOWN_ID
        own = base64.b64encode(self.pictures.of((self.number, 0))[1]).decode()

        def doors(name: str) -> list[tuple[str, str, dict[str, Any]]]:
            picture = f"tryon://{name}/images/0"
            return [
                ("get_try_on", "tools/call", {"task_id": name, "wait_seconds": 0}),
                ("view_try_on", "tools/call", {"task_id": name}),
                ("compare_try_ons", "tools/call", {"task_ids": [name, f"tryon://{name}"]}),
                ("create_try_on", "tools/call", {"human_image": picture, "cloth_image": own}),
                ("resources/read", "resources/read", {"uri": f"tryon://{name}"}),
                ("resources/read", "resources/read", {"uri": picture}),
            ]

        for (door, method, given), (_, _, other) in zip(doors(foreign), doors(unknown), strict=True):
            for tried in range(TRIES):
                answers: list[str] = []
                for name, arguments in ((foreign, given), (unknown, other)):
                    params = {"name": door, "arguments": arguments} if method == "tools/call" else arguments
                    with suppress(Gone, Busy):
                        answer = await self.speaker.ask(method, params, PATIENCE_SECONDS[-1])
                        answers.append(f"{answer.is_error} {answer.everything}".replace(name, "NAME"))
                # While the database is away, either may be told that instead; what is let slip once is so again.
                is_alike = len(answers) == 2 and answers[0] == answers[1]
                if len(answers) == 2 and (is_alike or tried == TRIES - 1):
                    self.history.probes.append(Probe(self.number, door, *answers))
                if is_alike:
                    break
                await asyncio.sleep(TRY_PAUSE)

    async def _looked(self, wish: WishKey, door: str, content: bytes) -> None:
        is_theirs = await asyncio.to_thread(self.pictures.is_result, content, wish)
        self.history.looks.append(Look(wish, door, is_theirs))

    async def _ask(self, tool: str, arguments: dict[str, Any]) -> Answer:
        params = {"name": tool, "arguments": arguments}
        return await self.speaker.ask("tools/call", params, PATIENCE_SECONDS[-1])

    async def _said(self, wish: WishKey, tool: str, arguments: dict[str, Any], patience: float) -> Said:
        began = time.time()
        asked = names_in(str(arguments.get("task_id", "")))
        try:
            answer = await self.speaker.ask("tools/call", {"name": tool, "arguments": arguments}, patience)
        except (Gone, Busy) as gone:
            said = Said(wish, tool, "gone", f"{type(gone).__name__}: {gone}", began, time.time(), asked=asked)
        else:
            said = understood(wish, tool, answer, began, asked)
        self.history.said.append(said)
        return said


def understood(wish: WishKey, tool: str, answer: Answer, began: float, asked: frozenset[str]) -> Said:
    """Read an answer as a model does."""
    text, ended, named = answer.text, time.time(), names_in(answer.everything)
    if answer.is_error:
        kind = kind_of_error(text)
        return Said(wish, tool, kind, text, began, ended, None, reference_in(text), named=named, asked=asked)
    if tool == "list_try_ons":
        return Said(wish, tool, "other", text, began, ended, named=named, asked=asked)
    row = answer.structured
    return Said(
        wish,
        tool,
        "task",
        text,
        began,
        ended,
        task_id=row.get("task_id"),
        reference=row.get("reference"),
        status=row.get("status", ""),
        named=named,
        asked=asked,
    )


def canary_of(seed: int, user: int) -> str:
    """Return the word in a user's labels that is nobody else's."""
    return f"canary-{hashlib.sha256(f'{seed}/{user}'.encode()).hexdigest()[:10]}"


def name_of(user: int) -> str:
    """Return how the token file calls a user."""
    return "shopper-heavy" if user == HEAVY else f"shopper-{user:04}"
