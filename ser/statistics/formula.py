"""Model formulas as R and lme4 write them: ``uar ~ arch * pft + (1 | speaker) + (1 | speaker:arch)``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import combinations

from ser.errors import InputError

Term = tuple[str, ...]


@dataclass(frozen=True)
class RandomTerm:
    """A random intercept, with correlated random slopes of covariates if any.

    ``columns`` name the groups: each combination of their values is one. ``slopes`` are numeric columns.
    """

    columns: Term
    slopes: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """Name of the grouping: its columns joined by ``:``."""
        return ":".join(self.columns)

    def __str__(self) -> str:
        """The term as lme4 writes it."""
        return f"({' + '.join(['1', *self.slopes])} | {self.group})"


@dataclass(frozen=True)
class Formula:
    """A formula taken apart: fixed ``terms`` by column name (without the intercept) and random terms."""

    response: str
    terms: tuple[Term, ...]
    random: tuple[RandomTerm, ...]

    @property
    def columns(self) -> list[str]:
        """Columns of the fixed part, in the order they are named."""
        return list(dict.fromkeys(name for term in self.terms for name in term))


def read_formula(text: str) -> Formula:
    """Take a formula apart.

    The fixed part knows ``+ - : * ^`` and parentheses; a random part is ``(1 | g)``, ``(1 | g:h)``, ``(1 | g/h)`` or
    ``(x | g)`` (intercept and slope, correlated).

    Raises:
        InputError: anything else, and a model without an intercept.
    """
    response, tilde, right = text.partition("~")
    response = response.strip()
    if not tilde or not response.isidentifier():
        raise _refuse(text, "a column before ~")
    random = []
    for left, group in re.findall(r"\(([^()|]*)\|([^()]*)\)", right):
        random += _read_random(text, left, group)
    fixed = re.sub(r"\+?\s*\([^()|]*\|[^()]*\)", "", right).strip().lstrip("+").strip()
    if "|" in fixed:
        raise _refuse(text, "random terms such as (1 | speaker)")
    terms = _expand(text, fixed or "1")
    if () not in terms:
        raise _refuse(text, "a model with an intercept")
    ordered = sorted((term for term in terms if term), key=len)
    return Formula(response, tuple(ordered), tuple(random))


def _read_random(text: str, left: str, group: str) -> list[RandomTerm]:
    """Random terms of ``left | group``."""
    slopes = tuple(part.strip() for part in left.split("+") if part.strip() != "1")
    parts = [part.strip() for part in re.split(r"[:/]", group)]
    if not all(name.isidentifier() for name in (*slopes, *parts)) or ("/" in group and ":" in group):
        raise _refuse(text, "random terms such as (1 | speaker), (1 | speaker:arch) or (days | speaker)")
    if "/" in group:
        return [RandomTerm(tuple(parts[: place + 1]), slopes) for place in range(len(parts))]
    return [RandomTerm(tuple(parts), slopes)]


def _expand(text: str, fixed: str) -> list[Term]:
    """All terms of a fixed part, the empty one for the intercept."""
    # Python's operators ** * + << >> bind in the same order as R's ^ : * + -, so its parser reads them after a change
    # of signs.
    signs = {"^": "**", ":": "*", "*": "+", "+": "<<", "-": ">>"}
    try:
        whole = f"1 + {fixed.replace('**', '^')}"
        return _walk(ast.parse(re.sub(r"[\^:*+-]", lambda sign: signs[sign.group()], whole), mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise _refuse(text, "columns joined by + - : * ^") from error


def _walk(node: ast.expr) -> list[Term]:
    """Terms of a parsed fixed part; ValueError for what a formula cannot hold."""
    if isinstance(node, ast.Name):
        return [(node.id,)]
    if isinstance(node, ast.Constant) and node.value == 1:
        return [()]
    if not isinstance(node, ast.BinOp):
        raise ValueError(f"no formula: {ast.dump(node)}")
    left = _walk(node.left)
    if isinstance(node.op, ast.Pow):
        if not isinstance(node.right, ast.Constant) or not isinstance(node.right.value, int):
            raise ValueError("no whole number after ^")
        return [_join(*parts) for size in range(1, node.right.value + 1) for parts in combinations(left, size)]
    right = _walk(node.right)
    if isinstance(node.op, ast.LShift):
        return _merge(left, right)
    if isinstance(node.op, ast.RShift):
        return [term for term in left if set(term) not in [set(other) for other in right]]
    crossed = [_join(one, two) for one in left for two in right]
    if isinstance(node.op, ast.Mult):
        return crossed
    if isinstance(node.op, ast.Add):
        return _merge(left, right, crossed)
    raise ValueError("no operator of a formula")


def _join(*terms: Term) -> Term:
    """Interaction of terms."""
    return tuple(dict.fromkeys(name for term in terms for name in term))


def _merge(*lists: list[Term]) -> list[Term]:
    """Terms of several lists, each once whatever the order of its names."""
    return list({frozenset(term): term for terms in reversed(lists) for term in reversed(terms)}.values())[::-1]


def _refuse(text: str, expected: str) -> InputError:
    """The error of a formula that cannot be read."""
    return InputError(f"cannot read the formula {text.strip()}", expected=expected)
