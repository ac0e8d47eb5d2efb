"""What hundreds of tests would make anew and alike: tools, certificates, SQL, results, processes that decode."""

import json
import os
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import httpx
import httpx._transports.default as httpx_transports
import httpx2._transports.default as httpx2_transports
import pytest
from jsonschema import Draft202012Validator
from mcp import ClientSession
from mcp_types import CallToolResult
from sqlalchemy import Connection, Engine, event, inspect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from kolors_mcp.cli import network_checks
from kolors_mcp.egress import certificates
from kolors_mcp.images import pictures
from kolors_mcp.images.formats.content import Content
from kolors_mcp.images.sources import fetch
from kolors_mcp.images.worker.messages import Answer, Request
from kolors_mcp.images.worker.pool import Decoders
from kolors_mcp.images.worker.process import Process
from kolors_mcp.kling import connection
from kolors_mcp.ledger import opening, schema
from kolors_mcp.sandbox import kling
from kolors_mcp.server.http import issuer
from kolors_mcp.server.tool import TryOnTool
from tests.support import fork_server
from tests.support.forked_decoders import ForkedProcess

CERTIFICATES, KEYS = ("SSL_CERT_FILE", "SSL_CERT_DIR"), "SSLKEYLOGFILE"
"""Variables that say which certificates are used, and that they are used unlike others."""
_AS_THEY_WERE = tuple(os.environ.get(name) for name in CERTIFICATES)
"""Their values as this machine has them."""
CONTRACT = Path(__file__).parents[1] / "contract.json"


@contextmanager
def made_once() -> Generator[None]:
    """Keep what was made of the same function and texts, and what was found sound; each server has its own copies."""
    with pytest.MonkeyPatch.context() as patch:
        _make_tools_once(patch)
        _read_certificates_once(patch)
        _read_certificates_of_clients_once(patch)
        _check_answers_by_the_contract(patch)
        _put_statements_together_once(patch)
        _write_layout_once(patch)
        # The same input gives the same bytes; that it does has a test of its own.
        patch.setattr(kling, "render", lru_cache(maxsize=64)(kling.render))
        kept: list[KeptProcess] = []
        patch.setattr(pictures, "Decoders", partial(Decoders, start=partial(_taken_or_made, kept)))
        yield
    for process in kept:
        process.kill()
        Process.end(process)


class KeptProcess(ForkedProcess):
    """One that decodes, and goes on to serve another server where its own has no more use for it."""

    def __init__(self, kept: list["KeptProcess"]) -> None:
        super().__init__()
        self._kept, self._works = kept, False

    def run(self, request: Request, contents: Sequence[Content]) -> Answer | None:
        self._works = True
        try:
            return super().run(request, contents)
        finally:
            self._works = False

    def end(self) -> None:
        if self.serves and self.alive and not self._works:
            self._kept.append(self)
        else:
            super().end()


def _taken_or_made(kept: list[KeptProcess]) -> Process:
    return kept.pop() if kept else KeptProcess(kept)


def _make_tools_once(patch: pytest.MonkeyPatch) -> None:
    sound: set[str] = set()
    really_check = Draft202012Validator.check_schema

    def check_schema(schema: Any, *more: Any, **options: Any) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in sound:
            really_check(schema, *more, **options)
            sound.add(key)

    patch.setattr(TryOnTool, "of", fork_server.made_once(TryOnTool.of))
    patch.setattr(Draft202012Validator, "check_schema", check_schema)


def _read_certificates_once(patch: pytest.MonkeyPatch) -> None:
    # Reading the usual certificates takes tens of milliseconds; a test that adds some of its own names them.
    usual: dict[Any, ssl.SSLContext] = {}
    really_trusted = certificates.trusted_certificates

    def trusted_certificates(*, write_keys: bool = False) -> ssl.SSLContext:
        where = _usual_place()
        if where is None:
            return really_trusted(write_keys=write_keys)
        if where not in usual:
            usual[where] = really_trusted()
        return usual[where]

    for user in (connection, fetch, issuer, network_checks):
        patch.setattr(user, "trusted_certificates", trusted_certificates)


def _usual_place() -> object:
    """Where certificates are read now; none if a test has named them, or watches how they are used."""
    named = tuple(os.environ.get(name) for name in CERTIFICATES)
    if os.environ.get(KEYS) or (any(named) and named != _AS_THEY_WERE):
        return None
    return ssl.get_default_verify_paths(), named


def _read_certificates_of_clients_once(patch: pytest.MonkeyPatch) -> None:
    # As above, for the libraries' own clients, with which tests call the service, the sandbox and the demo's page.
    def once(make: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
        made: dict[Any, ssl.SSLContext] = {}

        def usual(**options: Any) -> ssl.SSLContext:
            its_own = options.get("verify", True) is not True or options.get("cert") is not None
            where = None if its_own else _usual_place()
            if where is None:
                return make(**options)
            key = (where, *sorted(options.items()))
            if key not in made:
                made[key] = make(**options)
            return made[key]

        return usual

    for library in (httpx, httpx_transports, httpx2_transports):
        patch.setattr(library, "create_ssl_context", once(library.create_ssl_context))


def _put_statements_together_once(patch: pytest.MonkeyPatch) -> None:
    # A process has one ledger, and its engine keeps the text of each statement; tests have a new ledger each. What is
    # kept is found by the dialect too, of which each engine has its own.
    kept: dict[Any, Any] = {}
    really_create = opening.create_engine

    def create_engine(*where: Any, **options: Any) -> Engine:
        engine = really_create(*where, **options)
        engine.update_execution_options(compiled_cache=kept)
        return engine

    def alike(dialect: object, other: object) -> bool:
        return type(dialect) is type(other)

    def number(dialect: object) -> int:
        return hash(type(dialect))

    patch.setattr(opening, "create_engine", create_engine)
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        patch.setattr(dialect, "__eq__", alike)
        patch.setattr(dialect, "__hash__", number)


def _write_layout_once(patch: pytest.MonkeyPatch) -> None:
    # A ledger is made once in its life; tests make thousands, and most of what that costs is putting its SQL together.
    kept: dict[str, list[str]] = {}
    really_create = schema.METADATA.create_all

    def create_all(connection: Connection) -> None:
        texts = kept.get(connection.dialect.name)
        if texts is not None and not inspect(connection).get_table_names():
            for text in texts:
                connection.exec_driver_sql(text)
            return
        made: list[str] = []

        def note(_connection: object, _cursor: object, text: str, *_more: object) -> None:
            made.append(text)

        event.listen(connection, "before_cursor_execute", note)
        try:
            really_create(connection)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        written = [text for text in made if text.lstrip().startswith("CREATE")]
        tables = schema.METADATA.tables.values()
        if len(written) == len(tables) + sum(len(table.indexes) for table in tables):
            kept[connection.dialect.name] = written

    patch.setattr(schema.METADATA, "create_all", create_all)


def _check_answers_by_the_contract(patch: pytest.MonkeyPatch) -> None:
    # Each new client would have the tools listed first, which costs more than most calls; that the listed schemas are
    # those of the contract has a test of its own.
    really_check = ClientSession.validate_tool_result

    async def validate_tool_result(session: ClientSession, name: str, result: CallToolResult) -> None:
        validator = _validators().get(name)
        if validator is None or result.structured_content is None:
            await really_check(session, name, result)
            return
        validator.validate(result.structured_content)  # pyright: ignore[reportUnknownMemberType]  (it has no types)

    patch.setattr(ClientSession, "validate_tool_result", validate_tool_result)


@cache
def _validators() -> dict[str, Draft202012Validator]:
    tools: list[dict[str, Any]] = json.loads(CONTRACT.read_text(encoding="utf-8"))["tools"]
    return {tool["name"]: Draft202012Validator(tool["outputSchema"]) for tool in tools if "outputSchema" in tool}
