"""The sentences under a class's attributes, which Python itself forgets: read from the source."""

from __future__ import annotations

import ast
import inspect
import textwrap


def attribute_docs(class_: type) -> dict[str, str]:
    """Attribute -> its docstring, in one line; those of base classes too."""
    docs: dict[str, str] = {}
    for base in reversed(class_.__mro__):
        if base.__module__ != "builtins" and not base.__module__.startswith("msgspec"):
            docs |= _own_docs(base)
    return docs


def _own_docs(class_: type) -> dict[str, str]:
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(class_))).body
    assert isinstance(definition, ast.ClassDef), "the source of a class is its definition"
    docs = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    docs[statement.target.id] = " ".join(text.split())
    return docs
