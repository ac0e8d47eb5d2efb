"""Whether a marked reader, or an expression, is worse than linear, in words."""

from collections.abc import Callable

from kolors_mcp.bounds import Growth
from kolors_mcp.images.formats.jpeg_tables import Tables, read_frame, read_scan
from kolors_mcp.images.formats.structure import steps
from kolors_mcp.images.sources.structured_data import product_pictures
from kolors_mcp.kling.content import MAX_ANSWER_BYTES
from kolors_mcp.packing import unpack_deflate, unpack_gzip
from tests.support.growing import FACTOR, argument_of, caller_of, fault_of, forms_of
from tests.support.growing_memory import memory_fault_of
from tests.support.patterns import Pattern


def _in_a_frame(payload: bytes) -> object:
    frame = read_frame(b"\x08\1\0\1\0\3\1\x11\0\2\x11\0\3\x11\0", progressive=False)
    return read_scan(payload, frame, Tables(steps()))


# How to call what takes more than its bytes.
CALLS: dict[str, Callable[[bytes], object]] = {
    "images.formats.jpeg_tables:Tables.add_quantization": lambda data: Tables(steps()).add_quantization(data),
    "images.formats.jpeg_tables:Tables.add_huffman": lambda data: Tables(steps()).add_huffman(data),
    "images.formats.jpeg_tables:read_frame": lambda data: read_frame(data, progressive=True),
    "images.formats.jpeg_tables:read_scan": _in_a_frame,
    "packing:unpack_gzip": lambda data: unpack_gzip(data, MAX_ANSWER_BYTES),
    "packing:unpack_deflate": lambda data: unpack_deflate(data, MAX_ANSWER_BYTES),
    "images.sources.structured_data:product_pictures": lambda data: product_pictures([data]),
}


def faults_of_mark(key: str, function: Callable[..., object], growth: Growth) -> list[str]:
    """What is wrong with a marked function, in words."""
    if key in CALLS:
        call, forms = caller_of(CALLS[key], like=function), forms_of(growth)
    else:
        call, forms = caller_of(function), argument_of(function, growth)
    if call is None or not forms:
        return [f"{key}: it is not known how to call it; give it a line in CALLS of tests/support/bounding.py"]
    faults = ((name, fault_of(call, form) or memory_fault_of(call, form)) for name, form in forms.items())
    return [f"{key} of {name} {fault}" for name, fault in faults if fault]


def faults_of_pattern(pattern: Pattern, *, repetitions: int = 4096, limit_seconds: float = 30.0) -> list[str]:
    """For each method that it is used by, and each of its fragments: how it is worse than linear."""
    faults: list[str] = []
    for method, call in pattern.calls():
        for name, form in pattern.forms().items():
            fault = fault_of(call, form, size=repetitions // FACTOR, enough_seconds=0, limit_seconds=limit_seconds)
            if fault:
                faults.append(f"{pattern} with {method} of {name} {fault}")
                break
    return faults
