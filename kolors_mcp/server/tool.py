"""One tool, as this server means it: every refusal is one readable sentence, every result is complete.

The SDK drops unknown arguments in silence, shows validation errors as Pydantic prints them, hides other errors behind
a bare "Error executing tool", and prefixes the rest with that. All of it is mended here, once, for all tools.
"""

import inspect
import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Icon, InputRequiredResult, ToolAnnotations
from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from kolors_mcp.errors import ArgumentError, KolorsError
from kolors_mcp.models import Answer
from kolors_mcp.server.answers import to_result
from kolors_mcp.wording import quoted

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

logger = logging.getLogger(__name__)

MAX_COMPLAINTS = 5
"""Wrong arguments named in one answer."""
COUNTED_FROM_ONE = frozenset({"page_num", "page_size"})
"""Arguments of which 0 cannot mean anything but that nothing was chosen."""
LEFT_OUT = frozenset({"", "null", "none", "undefined"})
"""Texts that hosts and models write into an argument that they leave out."""
_MADE = frozenset({"title"})
"""Parts of a schema that Pydantic makes of names: they say nothing, and every model pays them."""
_TOLD_BEFORE = frozenset({"title", "description"})
_OF_NAMES = frozenset({"properties", "$defs"})
"""Parts of a schema whose keys are names."""
MAX_SHOWN_BITS = 64
"""Bits of a whole number that is worth printing."""


class TryOnTool(Tool):
    """A tool whose function returns an `Answer`, content blocks or a whole result, and raises `KolorsError`."""

    @classmethod
    def of(
        cls,
        fn: Callable[..., Any],
        *,
        title: str,
        annotations: ToolAnnotations,
        icons: list[Icon],
        told_before: bool = False,
    ) -> "TryOnTool":
        """Make a tool of a function, described by its docstring; its schema says that nothing else is taken.

        `told_before`: another tool's schema describes the fields of the same answer; this one only names them.
        """
        # `run` writes results itself, so that the SDK need not know how: it would work out each schema anew.
        tool = cls.from_function(
            fn,
            title=title,
            description=inspect.getdoc(fn),
            annotations=annotations,
            icons=icons,
            structured_output=False,
        )
        assert isinstance(tool, TryOnTool)
        tool.parameters = {**_pared(tool.parameters, _MADE), "additionalProperties": False}
        answer = inspect.signature(fn).return_annotation
        if isinstance(answer, type) and issubclass(answer, Answer):
            schema = _pared(_schema_of(answer), _TOLD_BEFORE if told_before else _MADE)
            tool.fn_metadata = tool.fn_metadata.model_copy(update={"output_schema": schema})
        properties = cast("dict[str, dict[str, Any]]", tool.parameters["properties"])
        required = cast("list[str]", tool.parameters.get("required", []))
        for name in properties.keys() - required:
            properties[name] = _or_null(properties[name])
        return tool

    async def run(self, arguments: dict[str, Any], context: "Context[Any, Any]", convert_result: bool = False) -> Any:
        """Check the arguments, call the function, and write its answer as a result.

        Raises:
            ToolError: With the text that the model reads.
        """
        try:
            checked = self._checked(arguments)
            answer = await self.fn_metadata.call_fn(
                self.fn, self.is_async, checked, {self.context_kwarg: context} if self.context_kwarg else {}
            )
            if isinstance(answer, CallToolResult | InputRequiredResult):
                result = answer
            else:
                result = to_result(answer) if isinstance(answer, Answer) else CallToolResult(content=answer)
        except KolorsError as error:
            # Some hosts show their model no error flag, so the text has to say that it is one.
            raise ToolError(f"Error: {error}") from error
        except MCPError:
            raise
        except Exception as error:
            # A create that has begun to be sent tells of its own failures: what comes here has created nothing.
            logger.exception("%s failed unexpectedly", self.name)
            raise ToolError(
                f"Error: {self.name} failed inside this server ({type(error).__name__}); its log has the details. "
                "This call has created no task."
            ) from error
        return result if convert_result else answer

    def _checked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function takes them.

        Raises:
            ArgumentError: Some are wrong, missing or unknown.
        """
        known = cast("dict[str, dict[str, Any]]", self.parameters["properties"])
        complaints = [
            f"{self.name} has no argument {quoted(name, 60)}; it takes {', '.join(known) or 'none'}."
            for name in arguments
            if name not in known
        ]
        required = cast("list[str]", self.parameters.get("required", []))
        given = {name: value for name, value in arguments.items() if name in required or not _is_left_out(name, value)}
        checked: dict[str, Any] = {}
        try:
            checked = self.fn_metadata.arg_model.model_validate(given).model_dump_one_level()
        except ValidationError as error:
            complaints += [_sentence(details, known) for details in error.errors(include_url=False)]
        if complaints:
            raise ArgumentError(" ".join(dict.fromkeys(complaints[:MAX_COMPLAINTS])) + " Nothing was sent.")
        return checked


class _Schemas(GenerateJsonSchema):
    """Writes a schema as Pydantic does, but builds nothing for plain defaults, which takes most of the time."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON has it."""
        return dft if dft is None or isinstance(dft, bool | int | str) else super().encode_default(dft)


@cache
def _schema_of(answer: type[Answer]) -> dict[str, Any]:
    return answer.model_json_schema(schema_generator=_Schemas)


def without_descriptions(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema for those who know what its fields mean."""
    return _pared(schema, _TOLD_BEFORE)


def _pared(schema: dict[str, Any], parts: frozenset[str]) -> dict[str, Any]:
    """Return a schema without some of its parts, at any depth."""
    return {key: _pared_part(key, part, parts) for key, part in schema.items() if key not in parts}


def _pared_part(key: str, part: Any, parts: frozenset[str]) -> Any:
    if isinstance(part, list):
        return [_pared_part("", one, parts) for one in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    named = cast("dict[str, dict[str, Any]]", part)
    # The keys below these are names, of which one may be "title".
    return {name: _pared(one, parts) for name, one in named.items()} if key in _OF_NAMES else _pared(named, parts)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an optional argument's schema, with null as one of the things that it takes."""
    if "anyOf" in schema:
        return schema
    about = {key: schema[key] for key in ("default", "description", "title") if key in schema}
    kind = {key: value for key, value in schema.items() if key not in about}
    return {"anyOf": [kind, {"type": "null"}], **about}


def _is_left_out(name: str, value: Any) -> bool:
    """Whether an optional argument only says that there is none, as hosts do that fill in all of them."""
    if name in COUNTED_FROM_ONE and not isinstance(value, bool) and value in (0, "0"):
        return True
    if isinstance(value, str):
        return value.strip().lower() in LEFT_OUT
    return value is None or value in ([], {})


def _sentence(details: ErrorDetails, known: dict[str, dict[str, Any]]) -> str:
    name = str(details["loc"][0])
    schema = known[name]
    if details["type"] == "missing":
        return f"{name} is missing; it is required."
    if details["type"] == "value_error":
        return f"{name} {details.get('ctx', {}).get('error', 'cannot be used')}."
    return f"{name} is {_shown(details['input'])}; it takes {_expected(schema)}."


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value, 60)
    if value is None:
        return "null"
    if isinstance(value, int | float | bool):
        # Whole numbers of thousands of digits cannot even be printed.
        return "a number out of range" if isinstance(value, int) and value.bit_length() > MAX_SHOWN_BITS else str(value)
    return "a list" if isinstance(value, list) else "an object"


def _expected(schema: dict[str, Any]) -> str:
    kinds = [kind for kind in cast("list[dict[str, Any]]", schema.get("anyOf", [schema])) if kind.get("type") != "null"]
    kind = kinds[0]
    if "enum" in kind:
        return " or ".join(cast("list[str]", kind["enum"]))
    name = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}.get(kind["type"], "text")
    if "minItems" in kind:
        return f"a list of {kind['minItems']} to {kind['maxItems']}"
    if "minimum" in kind:
        return f"{name} from {kind['minimum']:g} to {kind['maximum']:g}"
    if "minLength" in kind:
        return f"{name} of {kind['minLength']} to {kind['maxLength']} characters"
    return name
