"""No reader of foreign bytes is worse than linear, no expression is, and none can be forgotten."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache

import pytest

from kolors_mcp.bounds import MAX_STEPS, Growth, growth_of
from kolors_mcp.images.formats.structure import steps
from tests.support.bounding import faults_of_mark, faults_of_pattern
from tests.support.package import read_package
from tests.support.patterns import Pattern, patterns_of
from tests.support.readers import Function, html_parsers_of, marked_in, modules, with_mark, without_mark

# Readers without the mark, by `module:name` with * for anything, and why they need none.
EXEMPT = {
    "cli.*": "speaks with our own server and with the simulated Kling, which it has started itself",
    "sandbox.*": "plays Kling on loopback, for demos and tests; nothing from outside reaches it",
    "egress.proxies:*": "reads what the user has set for this very process",
    "settings:*": "reads what the user has set for this very process",
    "service_settings:*": "reads what the operator has set for this very process",
    "variables:*": "reads what the user or operator has set for this very process",
    "server.http.guard:_hosts": "reads what the operator has set for this very process",
    "server.http.authentication:Authentication.__init__": "reads what the operator has set for this very process",
    "server.http.callbacks:is_signed": "decodes the operator's own secret; what came is decoded by what is marked",
    "server.http.discretion:_text": "an answer of our own",
    "server.http.issuer:metadata_addresses": "reads what the operator has set for this very process",
    "server.http.issuer:may_be_asked": "an address in metadata of at most 256 KB, each part of it read once",
    "server.http.issuer:fetch_object": "reads at most 256 KB of the issuer that the operator has named",
    "images.pixels.declared:*": "reads a few fields at known places of a file's first bytes",
    "images.pixels.colours:*": "looks for one word in at most 64 KB, and hands profiles to the colour library",
    "images.formats.examine:*": "hands the bytes to what reads structures, which is marked, and to the decoders",
    "images.sources.fetch:_header": "the bytes are a header's name, which is ours",
    "images.pixels.flatten:*": "hands the bytes to the decoders",
    "images.write:*": "writes the bytes to the disk; what they are is told by `kind_of`, which is marked",
    "images.sources.*Stream.write": "sends the bytes",
    "images.pixels.outfit:*": "hands the bytes to the decoders",
    "images.kept:*": "hands the bytes to their store",
    "images.photo_folder:*": "writes the bytes to the disk, as `images.write` does",
    "images.photo_shelf:*": "hands the bytes to the shelf",
    "images.sources.photos:PhotoStore.*": "says what a store does; the two stores stand above",
    "images.sources.obtain:_kept": "hands the bytes to `examine`",
    "images.picture:*": "hands on what was looked at, in slices, each put together once",
    "images.finished:*": "hands the bytes to a thread or to the decoders, as `images.pictures` does",
    "images.pictures:*": "hands the bytes to a thread, where `examine` reads them",
    "images.pixels.decode:*": "starts the decoders; what they cost is bounded by the declared pixels, and can be ended",
    "images.pixels.loaded:*": "hands the bytes to the decoders, as `decode` does",
    "images.formats.missing_end:*": "copies the bytes once and puts an end behind them",
    "images.pixels.png_rows:*": "inflates rows that were counted before, each once, as far as it is asked for them",
    "images.pixels.rows:*": "hands the bytes to the decoders",
    "images.pixels.sheet:*": "hands the bytes to the decoders; the captions are ours, and short",
    "images.pixels.preview:*": "hands the bytes to the decoders",
    "images.pixels.typed_pillow:*": "profiles that the colour library has made itself",
    "images.formats.structure:Parts.*": "sums up pieces that a reader has read, each once",
    "images.worker.*": "carries bytes to and from our own decoding process, which reads them in the marked functions",
    "kling.http:*": "our own paths and queries; what comes back is read and bounded by `kling.content`",
    "kling.account:*": "the values of an answer, bounded by `kling.content`; pydantic reads each once",
    "kling.try_on_replies:*": "the values of an answer, bounded by `kling.content`; pydantic reads each once",
    "images.sources.fetch:Fetcher._unpacked": "hands the bytes to `packing`, whose readers are marked",
    "kling.content:content_of": "hands the bytes to `packing`, whose readers are marked",
    "kling.content:aside": "hands the bytes to a reader, which is marked",
    "kling.exchange:_envelope_of": "the values of an answer; pydantic reads each once",
    "server.tasks:Tasks.intercept_tool_call": "an answer of our own",
    "server.tool:TryOnTool._checked": "arguments are checked by pydantic, whose readers are linear",
    "server.arguments:_listed": "reads at most a few thousand characters",
    "server.arguments:_require_web_address": "reads at most 2,000 characters",
}
# Expressions that are worse than linear or cannot be fed, by `module:text`, and why that does no harm.
EXEMPT_PATTERNS = {
    "kolors_mcp.server.fitting_room.page:^\\s*(//[^\\n]*|/\\*.*?\\*/)$": "the text is our own page",
}


@cache
def unmarked() -> list[Function]:
    return without_mark(package())


@cache
def package() -> dict[str, str]:
    return {module: text for module, (text, _) in read_package().items()}


@cache
def marked() -> dict[str, tuple[Callable[..., object], Growth]]:
    return {key: (function, growth) for module in modules() for key, function, growth in marked_in(module)}


def is_listed(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


@pytest.mark.parametrize("part", ["images", "kling", ""])
def test_every_marked_reader_takes_time_in_proportion(part: str) -> None:
    others = {"images", "kling"} - {part}
    wanted = {
        key: found
        for key, found in marked().items()
        if (key.startswith(part + ".") if part else key.split(".")[0].split(":")[0] not in others)
    }
    faults = [fault for key, found in wanted.items() for fault in faults_of_mark(key, *found)]
    assert not faults, "\n".join(faults)


def test_every_mark_in_the_source_is_found() -> None:
    written = {one.key for one in with_mark(package())}
    assert written == set(marked())
    assert "images.formats.png:read_structure" in written


def test_every_reader_of_foreign_bytes_is_marked() -> None:
    complaints = [one.complaint for one in unmarked() if not is_listed(one.key, tuple(EXEMPT))]
    assert not complaints, "\n".join(complaints)


def test_every_exemption_is_still_needed() -> None:
    keys = [one.key for one in unmarked()]
    assert [pattern for pattern in EXEMPT if not any(fnmatchcase(key, pattern) for key in keys)] == []


def test_every_expression_of_the_package_is_linear() -> None:
    faults: list[str] = []
    for pattern in patterns_of(package()):
        text = pattern.text if isinstance(pattern, Pattern) else ""
        if f"{pattern.module}:{text if isinstance(text, str) else text.decode('latin-1')}" not in EXEMPT_PATTERNS:
            faults += faults_of_pattern(pattern) if isinstance(pattern, Pattern) else [str(pattern)]
    assert not faults, "\n".join(faults)


def test_nobody_reads_pages_with_the_standard_librarys_parser() -> None:
    assert [place for module, text in package().items() for place in html_parsers_of(module, text)] == []


def test_a_walk_may_take_fifty_thousand_steps_and_no_more() -> None:
    left = steps()
    for _ in range(MAX_STEPS):
        left.take()
    with pytest.raises(Exception, match=r"^is built of more than 50000 pieces, which takes too long to read\."):
        left.take()


def test_a_function_without_the_mark_has_no_growth() -> None:
    assert growth_of(faults_of_mark) is None
