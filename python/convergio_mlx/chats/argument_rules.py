"""The Lark rules of a tool's arguments, in each syntax (argument_syntax.py).

Whatever the rules let through, the parser reads as arguments that the tool's schema allows. Members
come in the schema's order, as in JSON.
"""

from __future__ import annotations

from convergio_mlx.chats.argument_syntax import Json, Syntax
from convergio_mlx.chats.literal_arguments import Literals
from convergio_mlx.chats.literal_rules import LiteralRules
from convergio_mlx.chats.rule_writer import Literal, RuleWriter
from convergio_mlx.chats.tag_arguments import Tags
from convergio_mlx.chats.tag_rules import TagRules
from convergio_mlx.chats.tools import Tool
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.structured.members import Members, OtherError, members_of
from convergio_mlx.structured.schema import closed, enforceable, json_rule


def json_arguments(tool: Tool, mode: str) -> tuple[str, tuple[str, ...]]:
    """The Lark expression of a tool's arguments as JSON, and what of its schema it does not
    enforce, a clause each: where calls are up to the model, a schema that is too much for a grammar
    is enforced as far as it goes.

    Raises:
        InvalidRequestError: a call is required, and the schema cannot be enforced.
    """
    where = f"the parameters of {tool.name!r}"
    schema = closed(tool.parameters)
    if mode != "auto":
        return json_rule(schema, where), ()
    try:
        found = enforceable(schema, where)
    except InvalidRequestError as error:
        return json_rule({"type": "object"}, where, open_objects=True), (str(error),)
    return found.rule, tuple(map(str, found.unenforced))


def arguments_rules(
    tool: Tool, name: str, mode: str, syntax: Syntax, literal: Literal
) -> tuple[list[str], tuple[str, ...]]:
    """The rules of a tool's arguments, the first of which is called `name`; and what of its schema
    they do not enforce, as `json_arguments`.

    Raises:
        InvalidRequestError: a call is required, and the schema cannot be enforced.
    """
    rule, unenforced = json_arguments(tool, mode)
    if isinstance(syntax, Json):
        return [f"{name}: {rule}"], unenforced
    writer = _writer(tool, name, syntax, literal, relaxed=mode == "auto")
    try:
        ways = members_of(closed(tool.parameters), writer.refer)
        return writer.rules(ways), (*unenforced, *writer.unenforced)
    except (OtherError, InvalidRequestError) as error:
        where = f"the parameters of {tool.name!r}"
        why = f"{where} cannot be enforced in this model's tool-call format, since {error}"
        if mode != "auto":
            raise InvalidRequestError(
                f"[schema] {why}; name the members of its object in 'properties'."
            ) from error
        free = _writer(tool, name, syntax, literal, relaxed=True)
        return free.rules([Members({}, set(), True)]), (*unenforced, why)


def _writer(
    tool: Tool, name: str, syntax: Syntax, literal: Literal, *, relaxed: bool
) -> RuleWriter:
    if isinstance(syntax, Tags):
        return TagRules(tool, name, syntax, literal, relaxed=relaxed)
    assert isinstance(syntax, Literals)
    return LiteralRules(tool, name, syntax, literal, relaxed=relaxed)
