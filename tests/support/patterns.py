"""Every regular expression of the package, found in its source, and input made of its own fragments to time it with."""

import ast
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from re import _parser  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownVariableType]
from typing import Any, cast

from tests.support.package import tree_with

METHODS = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
_RE = re.compile(r"\bre\b")
_USING = re.compile(rf"\bre\b|\.(?:{'|'.join(METHODS)})\b|^\w+(?:: [^=\n]+)? = ", re.MULTILINE)
"""What a statement has in it that uses an expression, or gives a part of one its name."""
_ANYTHING = "a Z0_-.<>/:\n\xe9\0"
_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
_END = "\0"
"""What hardly any pattern takes, so that all that was matched has to be given up again."""


@dataclass(frozen=True)
class Pattern:
    """An expression, where it stands, and by which methods it is used."""

    module: str
    line: int
    text: str | bytes
    flags: int
    methods: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.text!r}"

    def calls(self) -> Iterator[tuple[str, Callable[[Any], object]]]:
        """Yield each method's name and a call of it."""
        compiled = re.compile(self.text, self.flags)
        for name in self.methods:
            method = getattr(compiled, name)
            empty = b"" if isinstance(self.text, bytes) else ""
            if name in ("sub", "subn"):
                yield name, lambda text, method=method, empty=empty: method(empty, text)
            elif name == "finditer":
                yield name, lambda text, method=method: list(method(text))
            else:
                yield name, method

    def forms(self) -> dict[str, Callable[[int], Any]]:
        """Input of so many repetitions, for each fragment, ended by nothing and by what does not match."""
        forms: dict[str, Callable[[int], Any]] = {}
        tree = cast("Sequence[Any]", cast("Any", _parser).parse(self.text, self.flags))
        for opening, fragment in dict.fromkeys(_fragments(tree, "")):
            for end in ("", _END) if fragment else ():
                forms[repr((opening, fragment, end))] = self._form(opening, fragment, end)
        return forms

    def _form(self, opening: str, fragment: str, end: str) -> Callable[[int], Any]:
        def made(count: int) -> str | bytes:
            text = opening + fragment * count + end
            return text.encode("latin-1", "replace") if isinstance(self.text, bytes) else text

        return made


@dataclass(frozen=True)
class Unfed:
    """An expression that is not known before the program runs."""

    module: str
    line: int

    def __str__(self) -> str:
        return (
            f"{self.module}:{self.line} uses an expression that cannot be read in the source: "
            "write it as a constant, as the value of re.compile at the top of the module"
        )


def patterns_of(texts: Mapping[str, str]) -> Iterator[Pattern | Unfed]:
    """Every use of `re` in modules, given by their dotted names."""
    trees = {module: tree_with(text, _USING) for module, text in texts.items() if _RE.search(text)}
    # Elsewhere only the expressions matter that these have made.
    given = [pair for tree in trees.values() for pair in _assigned(tree)]
    makers = re.compile(rf"\b(?:{'|'.join({name for name, value in given if value and _makes_one(value)})})\b")
    others = [tree_with(text, makers) for module, text in texts.items() if module not in trees]
    called = _methods_called([*trees.values(), *others])
    for module, tree in trees.items():
        named = {id(inner): name for name, value in _assigned(tree) if value for inner in ast.walk(value)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "re":
                yield Unfed(module, node.lineno)
            if not (isinstance(node, ast.Call) and _is_of_re(node.func)):
                continue
            name = cast("ast.Attribute", node.func).attr
            if name not in ("compile", *METHODS):
                continue
            given = _given(node, tree)
            found = [given] if given else _imported(module, named.get(id(node)))
            if not found:
                yield Unfed(module, node.lineno)
            used = _uses(named.get(id(node)), called) or ("match", "fullmatch", "search")
            for text, flags in found:
                yield Pattern(module, node.lineno, text, flags, used if name == "compile" else (name,))


def _is_of_re(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"


def _makes_one(value: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) and _is_of_re(inner.func) for inner in ast.walk(value))


def _given(call: ast.Call, tree: ast.Module) -> tuple[str | bytes, int] | None:
    """The text and flags of a call; none if they are not constants."""
    name = cast("ast.Attribute", call.func).attr
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    position = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(name, 2)
    flags = keywords.get("flags") or (call.args[position] if len(call.args) > position else None)
    text = _constant(call.args[0], tree) if call.args else None
    value = 0 if flags is None else _flags(flags)
    return None if not isinstance(text, str | bytes) or value is None else (text, value)


def _constant(node: ast.expr, tree: ast.Module) -> object:
    """The value of a constant, or of the name of one at the top of the module."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return next(
            (value.value for name, value in _assigned(tree) if name == node.id and isinstance(value, ast.Constant)),
            None,
        )
    return None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that are given a value at the top of a module, and the value."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _imported(module: str, name: str | None) -> list[tuple[str | bytes, int]]:
    """The text and flags of an expression, or of a table of them, that is put together when its module is imported."""
    if not (name and module.startswith("kolors_mcp.")):
        return []
    made: Any = getattr(importlib.import_module(module), name, None)
    members: Iterable[Any] = [made]
    if isinstance(made, dict):
        members = cast("dict[Any, Any]", made).values()
    elif isinstance(made, list | tuple | set | frozenset):
        members = cast("Iterable[Any]", made)
    compiled = [cast("re.Pattern[Any]", one) for one in members if isinstance(one, re.Pattern)]
    return [(one.pattern, one.flags) for one in compiled]


def _flags(node: ast.expr) -> int | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _flags(node.left), _flags(node.right)
        return None if left is None or right is None else left | right
    return int(getattr(re, node.attr)) if isinstance(node, ast.Attribute) and _is_of_re(node) else None


def _methods_called(trees: Iterable[ast.AST]) -> set[tuple[str, str]]:
    """The name, or the attribute, that a method is called of anywhere, and the method."""
    return {
        (name, node.attr)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in METHODS
        for owner in [node.value.value if isinstance(node.value, ast.Subscript) else node.value]
        for name in (getattr(owner, "id", None), getattr(owner, "attr", None))
        if name
    }


def _uses(name: str | None, called: set[tuple[str, str]]) -> tuple[str, ...]:
    """The methods that are called of a name."""
    return tuple(method for method in METHODS if name and (name, method) in called)


def _fragments(tree: Sequence[Any], before: str) -> Iterator[tuple[str, str]]:
    """Yield what has to stand before a piece of an expression, and the piece: each part, and each beginning of it."""
    items = list(tree)
    for variant in range(3):
        whole = [_sample([item], variant) for item in items]
        for stop in range(1, len(items) + 1):
            # A word is one piece, however many letters it has.
            if stop == len(items) or not all(str(kind) == "LITERAL" for kind, _ in items[stop - 1 : stop + 1]):
                yield before, "".join(whole[:stop])
    reached = before
    for operator, argument in items:
        for inner in _inside(str(operator), argument):
            yield from ((reached, _sample(inner, variant)) for variant in range(3))
            yield from _fragments(inner, reached)
        reached += _sample([(operator, argument)], 0)


def _inside(operator: str, argument: Any) -> list[Sequence[Any]]:
    """The expressions inside one."""
    if operator.endswith("_REPEAT"):
        return [argument[2]]
    if operator == "BRANCH":
        return argument[1]
    if operator == "ATOMIC_GROUP":
        return [argument]
    return [argument[-1]] if operator in ("SUBPATTERN", "ASSERT", "ASSERT_NOT") else []


def _sample(tree: Sequence[Any], variant: int) -> str:
    """A text that the expression takes, in one of three variants: shortest, with each repeat once, other choices."""
    parts: list[str] = []
    for operator, argument in tree:
        kind, inside = str(operator), _inside(str(operator), argument)
        if kind == "LITERAL":
            parts.append(chr(argument))
        elif kind in ("IN", "ANY", "NOT_LITERAL"):
            parts.append(_member(kind, argument, variant))
        elif kind.endswith("_REPEAT"):
            parts.append(_sample(inside[0], variant) * max(argument[0], 1 if variant else 0))
        elif inside and kind != "ASSERT_NOT":
            parts.append(_sample(inside[variant % len(inside)], variant))
    return "".join(parts)


def _member(kind: str, argument: Any, variant: int) -> str:
    """A character of a set; other variants, other characters."""
    if kind == "ANY":
        return _ANYTHING[variant]
    if kind == "NOT_LITERAL":
        argument = [("NEGATE", None), ("LITERAL", argument)]
    own = [chr(code) for name, value in argument for code in _codes(str(name), value)]
    negated = str(argument[0][0]) == "NEGATE"
    members = [one for one in (*own, *_ANYTHING) if _holds(argument, one) is not negated]
    return members[variant % len(members)] if members else ""


def _codes(name: str, value: Any) -> tuple[int, ...]:
    return (value,) if name == "LITERAL" else tuple(value) if name == "RANGE" else ()


def _holds(items: Sequence[Any], one: str) -> bool:
    """Whether one of the items of a set, its sign aside, has the character."""
    for name, value in items:
        codes = _codes(str(name), value)
        if codes and codes[0] <= ord(one) <= codes[-1]:
            return True
        if str(name) == "CATEGORY":
            category = str(value).removeprefix("CATEGORY_")
            among = re.match(_CATEGORIES[category.removeprefix("NOT_")], one) is not None
            if among is not category.startswith("NOT_"):
                return True
    return False
