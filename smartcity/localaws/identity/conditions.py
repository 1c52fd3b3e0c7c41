"""The operators of a policy's Condition block (IAM user guide, "IAM JSON policy elements: Condition operators").

A condition holds when every operator and every key holds; the values of one key are alternatives.
Documents with operators that are unknown here are refused when they are stored (see `documents`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from smartcity.localaws.identity.glob import matches

Context = Mapping[str, tuple[str, ...]]  #: condition keys in lower case → values in the request
Test = Callable[[str, str], bool]  #: (value in the request, value in the policy) → holds


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(actual: str, wanted: str) -> bool:
        try:
            return compare(float(actual), float(wanted))
        except ValueError:
            return False

    return test


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[float, float], bool]) -> Test:
    def test(actual: str, wanted: str) -> bool:
        try:
            return compare(_moment(actual), _moment(wanted))
        except ValueError:
            return False

    return test


def _address(actual: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _arn(actual: str, wanted: str) -> bool:
    """Each of the six parts of an ARN is compared by itself, so that `*` does not reach across colons."""
    have, want = actual.split(":", 5), wanted.split(":", 5)
    return len(have) == len(want) and all(matches(w, h) for h, w in zip(have, want, strict=True))


_POSITIVE: dict[str, Test] = {
    "stringequals": lambda actual, wanted: actual == wanted,
    "stringequalsignorecase": lambda actual, wanted: actual.lower() == wanted.lower(),
    "stringlike": lambda actual, wanted: matches(wanted, actual),
    "numericequals": _number(lambda a, w: a == w),
    "numericlessthan": _number(lambda a, w: a < w),
    "numericlessthanequals": _number(lambda a, w: a <= w),
    "numericgreaterthan": _number(lambda a, w: a > w),
    "numericgreaterthanequals": _number(lambda a, w: a >= w),
    "dateequals": _date(lambda a, w: a == w),
    "datelessthan": _date(lambda a, w: a < w),
    "datelessthanequals": _date(lambda a, w: a <= w),
    "dategreaterthan": _date(lambda a, w: a > w),
    "dategreaterthanequals": _date(lambda a, w: a >= w),
    "bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "binaryequals": lambda actual, wanted: actual == wanted,
    "ipaddress": _address,
    "arnequals": _arn,
    "arnlike": _arn,
}
_NEGATIVE: dict[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def split(operator: str) -> tuple[str, str, bool]:
    """`ForAllValues:StringLikeIfExists` → ("forallvalues", "stringlike", True)."""
    quantifier, _, name = operator.lower().rpartition(":")
    if_exists = name.endswith("ifexists")
    return quantifier, name.removesuffix("ifexists"), if_exists


def known(operator: str) -> bool:
    """Whether an operator exists in AWS's language."""
    quantifier, name, if_exists = split(operator)
    if quantifier not in ("", "foranyvalue", "forallvalues"):
        return False
    return name in _POSITIVE or name in _NEGATIVE or (name == "null" and not quantifier and not if_exists)


def holds(operator: str, wanted: Iterable[str], actual: tuple[str, ...] | None) -> bool:
    """Whether one key of a Condition holds; `actual` is None when the request does not carry the key."""
    quantifier, name, if_exists = split(operator)
    values = tuple(wanted)
    if name == "null":
        return any((actual is None) == (value.lower() == "true") for value in values)
    if not actual:
        return _absent(quantifier, name, if_exists)
    negated = name in _NEGATIVE
    test = _POSITIVE.get(_NEGATIVE.get(name, name))
    if test is None:
        return False

    def one(value: str) -> bool:
        return any(test(value, want) for want in values) != negated

    return any(map(one, actual)) if quantifier == "foranyvalue" else all(map(one, actual))


def _absent(quantifier: str, name: str, if_exists: bool) -> bool:
    """A missing key satisfies `…IfExists`, ForAllValues, and negated operators without ForAnyValue."""
    if quantifier == "foranyvalue":
        return False
    return if_exists or quantifier == "forallvalues" or name in _NEGATIVE
