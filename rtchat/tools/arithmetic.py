"""Arithmetic on text: what can be worked out safely and at once, and nothing else."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

Number = int | float

MAX_LENGTH = 300
"""Characters of an expression."""
MAX_DIGITS = 300
"""Digits of any number on the way: what a float can hold, and quick to work with."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}


def _factorial(number: Number) -> int:
    if number != int(number) or not 0 <= number <= 170:
        raise ValueError("factorial needs a whole number from 0 to 170")
    return math.factorial(int(number))


def _round(number: Number, digits: Number = 0) -> Number:
    if abs(digits) > 20:
        raise ValueError("round takes at most 20 digits")
    return round(number, int(digits)) if digits else round(number)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "acos": math.acos,
    "asin": math.asin,
    "atan": math.atan,
    "cbrt": math.cbrt,
    "ceil": math.ceil,
    "cos": math.cos,
    "degrees": math.degrees,
    "exp": math.exp,
    "factorial": _factorial,
    "floor": math.floor,
    "hypot": math.hypot,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "radians": math.radians,
    "round": _round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}


def evaluate(expression: str) -> Number:
    """Work out an expression.

    Args:
        expression: Python's arithmetic (`+ - * / // % **`, parentheses), functions such as `sqrt`, the constants
            `pi`, `e` and `tau`; `^`, `×`, `÷`, `−` and `π` are understood too.

    Returns:
        A whole number where the result is one, for example 2 for `4 / 2`.

    Raises:
        ValueError: It is not arithmetic, has no result, or is too long or too large; says why.
    """
    text = expression.strip().rstrip("=?").strip()
    for written, meant in (("^", "**"), ("×", "*"), ("·", "*"), ("÷", "/"), ("−", "-"), ("π", "pi"), ("√", "sqrt")):
        text = text.replace(written, meant)
    if not text or len(text) > MAX_LENGTH:
        raise ValueError(f"an expression has 1 to {MAX_LENGTH} characters")
    try:
        tree = ast.parse(text, mode="eval")
        result = _value(tree.body)
    except ZeroDivisionError:
        raise ValueError("division by zero has no result") from None
    except (SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"'{text}' is not arithmetic") from None
    except (OverflowError, TypeError) as error:
        raise ValueError(f"'{text}' cannot be worked out: {error}") from None
    return int(result) if isinstance(result, float) and result.is_integer() and abs(result) < 1e15 else result


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _bounded(_UNARY[type(sign)](_value(operand)))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _bounded(_BINARY[type(sign)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*map(_value, arguments)))
    raise ValueError(f"'{ast.unparse(node)}' is not arithmetic")


def _power(base: Number, exponent: Number) -> Number:
    """Judged before it is worked out: 9**9**9 would take for ever."""
    if abs(base) > 1 and exponent * math.log10(abs(base)) > MAX_DIGITS:
        raise ValueError(f"the result has more than {MAX_DIGITS} digits")
    return _bounded(base**exponent)


def _bounded(number: Any) -> Number:
    if isinstance(number, complex):
        raise ValueError("the result is not a real number")  # noqa: TRY004 - what is wrong is the value
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError("the result is not a finite number")
    if abs(number) >= 10**MAX_DIGITS:
        raise ValueError(f"the result has more than {MAX_DIGITS} digits")
    return number if isinstance(number, int) else float(number)
