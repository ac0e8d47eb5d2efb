"""Every function of the package that reads what others wrote, found in its source, and whether it carries the mark."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import kolors_mcp
from kolors_mcp.bounds import Growth, growth_of
from tests.support.package import tree_of, tree_with

FOREIGN = re.compile(r"\b(?:bytes|bytearray|memoryview|Content|IO|BinaryIO|TextIO)\b")
"""What a parameter's annotation names where bytes from outside come in."""
_TEXT = re.compile(rf"{FOREIGN.pattern}|\bstr\b")

READING = re.compile(r"_*(?:parse|scan|decode|unquot|unescape|tokens)")
"""How functions are named that read text; one that takes text and has a `while` is taken for one too."""

BYTES_COME_IN = ("kolors_mcp.images", "kolors_mcp.kling")
"""Where every function that takes such a parameter counts as a reader."""

READS = frozenset({
    "loads", "raw_decode", "literal_eval",  # json, ast
    "decompress", "decompressobj", "DecompressionObj",  # zlib, gzip
    "unpack", "unpack_from", "iter_unpack",  # struct
    "urlsplit", "urlparse", "parse_qs", "parse_qsl", "unquote", "unquote_to_bytes",  # urllib.parse
    "b64decode", "a2b_base64", "urlsafe_b64decode",  # base64 and its kin
    "model_validate", "model_validate_json", "validate_python", "validate_json",  # pydantic
    "fromstring", "feed", "parsestr", "message_from_bytes", "message_from_string",  # XML, HTML, mail
    "ImageCmsProfile", "Image.open",
})  # fmt: skip
"""Functions of libraries that read what others wrote: whoever calls one is a reader, wherever it stands."""
_MAY_READ = re.compile("|".join(name.partition(".")[0] for name in sorted(READS)))
_MAY_TAKE = re.compile(rf"{FOREIGN.pattern}|\bwhile\b|\bdef {READING.pattern}")
"""What a source has in it that calls one of these, or takes bytes, or text that it reads."""
_NAMED = (ast.Name, ast.Attribute)
_HTML = re.compile("html", re.IGNORECASE)


@dataclass(frozen=True)
class Function:
    """A function or method as its source has it."""

    module: str
    name: str
    """With the class before it."""
    line: int
    marked: bool
    foreign: tuple[str, ...]
    """The parameters whose annotation names foreign bytes, and of functions that read text, text."""
    reads: tuple[str, ...]
    """The functions of libraries that it reads with."""
    mentions: frozenset[str]
    """Every name in it, so also those of the functions it calls."""

    @property
    def key(self) -> str:
        return f"{self.module.removeprefix('kolors_mcp.')}:{self.name}"

    @property
    def is_reader(self) -> bool:
        # What is made of bytes keeps them; it is its methods that read.
        inside = self.module.startswith(BYTES_COME_IN) and not self.name.endswith(".__init__")
        return bool(self.reads or (inside and self.foreign))

    @property
    def complaint(self) -> str:
        why = f"calls {', '.join(self.reads)}" if self.reads else f"takes {', '.join(self.foreign)}"
        return (
            f"{self.key} (line {self.line}) {why}, so it may read foreign bytes: mark it with @linear(...) and the "
            "fragments that are dear to it, or give it a line with its reason in EXEMPT of tests/test_bounds.py"
        )


@cache
def functions_of(module: str, text: str) -> tuple[Function, ...]:
    """Every function of a module and every method of its classes; what is nested belongs to what it is nested in."""
    return tuple(_functions_in(module, tree_of(text)))


def _functions_in(module: str, tree: ast.Module) -> Iterator[Function]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _function(module, node.name, node)
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield _function(module, f"{node.name}.{member.name}", member)


def _function(module: str, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    inside = list(ast.walk(node))
    loops = any(isinstance(inner, ast.While) for inner in inside)
    wanted = _TEXT if READING.match(node.name) or loops else FOREIGN
    marks = [inner for decorator in node.decorator_list for inner in ast.walk(decorator)]
    return Function(
        module=module,
        name=name,
        line=node.lineno,
        marked="linear" in _names(marks),
        foreign=tuple(one.arg for one in parameters if one.annotation and wanted.search(ast.unparse(one.annotation))),
        reads=tuple(sorted(READS & _called(inside))),
        mentions=frozenset(_names(inside)),
    )


def _called(nodes: Iterable[ast.AST]) -> set[str]:
    """The functions that are called, by their last name, and where one name stands before it, also with that."""
    called: set[str] = set()
    for function in (node.func for node in nodes if isinstance(node, ast.Call)):
        if isinstance(function, ast.Name):
            called.add(function.id)
        elif isinstance(function, ast.Attribute):
            called.add(function.attr)
            if isinstance(function.value, ast.Name):
                called.add(f"{function.value.id}.{function.attr}")
    return called


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {node.id if isinstance(node, ast.Name) else node.attr for node in nodes if isinstance(node, _NAMED)}


def with_mark(texts: Mapping[str, str]) -> list[Function]:
    """The functions that carry the mark."""
    found = (one for module, text in texts.items() if "linear" in text for one in functions_of(module, text))
    return [one for one in found if one.marked]


def without_mark(texts: Mapping[str, str]) -> list[Function]:
    """The readers that neither carry the mark nor are called, in their own module, on behalf of one that does."""
    found: list[Function] = []
    for module, text in texts.items():
        if not (_MAY_READ.search(text) or (module.startswith(BYTES_COME_IN) and _MAY_TAKE.search(text))):
            continue
        functions = functions_of(module, text)
        covered = {function.name for function in functions if function.marked}
        while True:
            mentioned = {name for function in functions if function.name in covered for name in function.mentions}
            more = {function.name for function in functions if mentioned & set(function.name.split("."))} - covered
            if not more:
                break
            covered |= more
        found += [function for function in functions if function.is_reader and function.name not in covered]
    return found


def html_parsers_of(module: str, text: str) -> list[str]:
    """The lines on which a module takes the standard library's HTML parser, which is quadratic over hostile pages."""
    return [
        f"{module}:{node.lineno}"
        for node in ast.walk(tree_with(text, _HTML))
        if (isinstance(node, ast.Import) and any(alias.name.startswith("html.parser") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("html.parser"))
        or (isinstance(node, ast.ImportFrom) and node.module == "html" and "parser" in {a.name for a in node.names})
        or (isinstance(node, ast.Name | ast.Attribute) and "HTMLParser" in _names([node]))
    ]


def modules() -> Iterator[ModuleType]:
    """Every module of the package, imported; what starts a program when it is imported is left out."""
    yield kolors_mcp
    for found in pkgutil.walk_packages(kolors_mcp.__path__, "kolors_mcp."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def marked_in(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any], Growth]]:
    """Every function and method of a module that carries the mark, by the name that `Function.key` gives it."""
    place = module.__name__.removeprefix("kolors_mcp.")
    for name, thing in vars(module).copy().items():
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        own = dict(vars(thing)) if inspect.isclass(thing) else {"": thing}
        for member, one in own.items():
            function = getattr(one, "__func__", one)
            growth = growth_of(function) if callable(function) else None
            if growth is not None:
                yield f"{place}:{name}.{member}".rstrip("."), function, growth
