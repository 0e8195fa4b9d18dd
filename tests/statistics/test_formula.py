import pytest

from ser.errors import InputError
from ser.statistics.formula import RandomTerm, read_formula


@pytest.mark.parametrize(
    ("right", "terms"),
    [
        ("a * b", ["a", "b", "a:b"]),
        ("a + b:c", ["a", "b:c"]),
        ("(a + b + c)^2", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("a * b * c - a:b:c", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("a * (b + c)", ["a", "b", "c", "a:b", "a:c"]),
        ("a + b + b:a + a:b", ["a", "b", "b:a"]),
        ("1", []),
        ("1 + a", ["a"]),
    ],
)
def test_fixed_part(right, terms):
    assert [":".join(term) for term in read_formula(f"y ~ {right} + (1 | g)").terms] == terms


@pytest.mark.parametrize(
    ("part", "random"),
    [
        ("(1 | g)", [RandomTerm(("g",))]),
        ("(1|g:a)", [RandomTerm(("g", "a"))]),
        ("(1 | g/a)", [RandomTerm(("g",)), RandomTerm(("g", "a"))]),
        ("(x | g)", [RandomTerm(("g",), ("x",))]),
        ("(1 + x | g) + (1 | h)", [RandomTerm(("g",), ("x",)), RandomTerm(("h",))]),
    ],
)
def test_random_part(part, random):
    formula = read_formula(f"uar ~ {part} + a")
    assert list(formula.random) == random and formula.columns == ["a"] and formula.response == "uar"
    assert str(random[0]) in ("(1 | g)", "(1 | g:a)", "(1 + x | g)")


@pytest.mark.parametrize(
    "text", ["y", "y ~ 0 + a", "y ~ a - 1", "log(y) ~ a", "y ~ a + (0 + x | g)", "y ~ a +", "y ~ f(a)", "y ~ (x || g)"]
)
def test_what_is_refused(text):
    with pytest.raises(InputError, match="cannot read"):
        read_formula(text)
