"""Precision and scale of numeric expressions, as Redshift computes them.

https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
"""

from __future__ import annotations

from sqlglot import exp

from smartcity.localaws.redshift.faults import not_supported

#: Digits of an integer that takes part in a numeric computation
_INTEGERS = {"SMALLINT": 5, "TINYINT": 5, "INT": 10, "BIGINT": 19}
Numeric = tuple[int, int]


def is_integer(type_: exp.DataType | None) -> bool:
    """SMALLINT, INTEGER or BIGINT."""
    return type_ is not None and type_.this.name in _INTEGERS


def is_numeric(type_: exp.DataType | None) -> bool:
    """DECIMAL of any precision."""
    return type_ is not None and type_.this.name == "DECIMAL"


def shape(node: exp.Expr) -> Numeric:
    """Precision and scale of an integer or numeric expression; raises `SqlError` where they cannot be told."""
    type_ = node.type
    if type_ is not None and is_integer(type_):
        return _INTEGERS[type_.this.name], 0
    if type_ is not None and is_numeric(type_) and len(type_.expressions) == 2:
        return int(type_.expressions[0].name), int(type_.expressions[1].name)
    if isinstance(node, exp.Literal) and not node.is_string:
        whole, _, places = node.name.partition(".")
        return len(whole.lstrip("0") + places) or 1, len(places)
    raise not_supported(f"numeric computation with an operand of unknown precision ({node.sql()}): cast it")


def of_sum(left: Numeric, right: Numeric) -> Numeric:
    """Addition and subtraction."""
    scale = max(left[1], right[1])
    return min(38, max(left[0] - left[1], right[0] - right[1]) + scale + 1), scale


def of_product(left: Numeric, right: Numeric) -> Numeric:
    """Multiplication."""
    return _capped(left[0] + right[0] + 1, left[1] + right[1])


def of_quotient(left: Numeric, right: Numeric) -> Numeric:
    """Division: `scale = max(4, s1 + p2 - s2 + 1)`, `precision = p1 - s1 + s2 + scale`."""
    scale = max(4, left[1] + right[0] - right[1] + 1)
    return _capped(left[0] - left[1] + right[1] + scale, scale)


def _capped(precision: int, scale: int) -> Numeric:
    if precision > 38:
        scale = max(38 + scale - precision, min(scale, 4))
        precision = 38
    return precision, min(scale, 37)


def decimal(shape_: Numeric) -> exp.DataType:
    """The type of this precision and scale."""
    return exp.DataType.build(f"DECIMAL({shape_[0]},{shape_[1]})", dialect="redshift")
