"""A Python function as a tool: its JSON schema for the model, and the model's JSON checked for the function."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from rtchat.complaints import say
from rtchat.errors import ToolError, UsageError

Function = Callable[..., Any]
MARK = "__rtchat_tool__"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What the API takes as a function's name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@tool(...)` was given; it hangs on the function, which stays what it is."""

    name: str | None
    description: str | None
    confirm: bool


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, confirm: bool = False
) -> Callable[[Function], Function]: ...


def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    confirm: bool = False,
) -> Any:
    """Make a function callable by the model.

    The function is not changed. Its type hints become the JSON schema, its docstring the description, and the
    `Args:` of a Google docstring the descriptions of its parameters. It runs in a thread of its own, or in the
    session's event loop if it is `async`: there it must not block.

    Args:
        function: The function, where the decorator is used bare.
        name: What the model calls it; the function's name otherwise.
        description: What the model is told of it; the docstring otherwise.
        confirm: Ask the user before each call.
    """

    def mark(marked: Function) -> Function:
        setattr(marked, MARK, Mark(name, description, confirm))
        return marked

    return mark if function is None else mark(function)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model can call.

    Attributes:
        name: What the model calls it.
        description: What the model is told.
        parameters: JSON schema of its arguments, without references.
        confirm: The user is asked before each call.
        function: What runs.
        source: Where it is defined, `file:line`, for messages.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    confirm: bool
    function: Function
    source: str
    _model: type[BaseModel]

    def definition(self) -> dict[str, Any]:
        """It in the API's form (`session.tools[]`)."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    def arguments(self, text: str) -> dict[str, Any]:
        """The model's JSON as keyword arguments of the right types; what it left out takes the default.

        Raises:
            ToolError: Not JSON, not an object, or wrong; the sentence tells the model how to do better.
        """
        try:
            given = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise ToolError(f"the arguments of {self.name} are not JSON: {error}") from None
        if not isinstance(given, dict):
            raise ToolError(f"the arguments of {self.name} must be a JSON object, not {text.strip()[:60]}")
        try:
            checked = self._model.model_validate(given)
        except ValidationError as failed:
            raise ToolError(f"wrong arguments for {self.name}: {_sentence(failed)}") from None
        fields = type(checked).model_fields
        return {str(field.alias): getattr(checked, key) for key, field in fields.items()}


def describe(function: Function) -> Tool:
    """Read a function that `@tool` marks, or any other that is typed and documented.

    Raises:
        UsageError: No docstring, or a parameter without a type or with one that JSON has no form for; says file
            and line.
    """
    mark: Mark = getattr(function, MARK, Mark(None, None, False))
    source = _where(function)
    name = mark.name or str(getattr(function, "__name__", ""))
    if not NAME.fullmatch(name):
        raise UsageError(f"{source}: '{name}' cannot be a tool's name.", hint="Letters, digits, _ and - only.")
    summary, about = _docstring(inspect.getdoc(function) or "")
    description = mark.description or summary
    if not description:
        raise UsageError(f"{source}: the tool {name} has no docstring.", hint="Say in it what the tool does.")
    model = _model(function, name, source, about)
    try:
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise UsageError(f"{source}: the tool {name} has no JSON schema: {_first_line(error)}.") from None
    return Tool(name, description, _plain(schema, schema.get("$defs", {})), mark.confirm, function, source, model)


def _model(function: Function, name: str, source: str, about: Mapping[str, str]) -> type[BaseModel]:
    """A pydantic model of the parameters. Its fields are p0, p1, …: an alias can be any word, a field cannot."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # a hint is code: anything can come out of it
        raise UsageError(f"{source}: the types of the tool {name} cannot be read: {error}.") from None
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(
                f"{source}: the parameter {parameter} of the tool {name} cannot be given by name.",
                hint="A tool takes ordinary parameters only.",
            )
        if parameter.name not in hints:
            raise UsageError(f"{source}: the parameter {parameter.name} of the tool {name} has no type.")
        default = ... if parameter.default is parameter.empty else parameter.default
        # A description given as None would hide that of Annotated[…, Field(description=…)].
        said: dict[str, Any] = {"description": about[parameter.name]} if parameter.name in about else {}
        fields[f"p{number}"] = (hints[parameter.name], Field(default, alias=parameter.name, **said))
    try:
        return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise UsageError(f"{source}: the tool {name} has a type that is no JSON: {_first_line(error)}.") from None


def _where(function: Function) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _sentence(failed: ValidationError) -> str:
    errors = failed.errors(include_url=False)
    return "; ".join(f"{'.'.join(str(part) for part in error['loc'])} {say(error)}" for error in errors[:5])


_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?|Attributes):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """A Google docstring as what stands before its sections, and what `Args:` says of each parameter."""
    before: list[str] = []
    arguments: list[str] = []
    section = ""
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading[1]
        elif not section:
            before.append(line)
        elif section in ("Args", "Arguments", "Parameters"):
            arguments.append(line)
    about: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent("\n".join(arguments)).splitlines():
        entry = _ENTRY.match(line)
        if entry:
            name, about[entry[1]] = entry[1], entry[2].strip()
        elif name and line.strip():
            about[name] = f"{about[name]} {line.strip()}".strip()
    return " ".join(" ".join(before).split()), about


def _plain(schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:
    """A schema without titles and with its references written out (but for those that hold themselves)."""
    if not isinstance(schema, dict):
        return schema
    reference = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if reference and reference not in inside and reference in definitions:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _plain(definitions[reference] | rest, definitions, (*inside, reference))
    if reference:
        return {"type": "object", "description": f"another {reference}, as above"}
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            plain[key] = {name: _plain(each, definitions, inside) for name, each in value.items()}
        elif isinstance(value, list) and key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            plain[key] = [_plain(each, definitions, inside) for each in value]
        elif key in ("items", "additionalProperties"):
            plain[key] = _plain(value, definitions, inside)
        elif key not in ("title", "$defs", "discriminator"):
            plain[key] = value
    return plain
