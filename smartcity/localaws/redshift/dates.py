"""Date parts, DATEADD and its kin, and datetime format strings.

https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
https://docs.aws.amazon.com/redshift/latest/dg/r_FORMAT_strings.html
"""

from __future__ import annotations

import re

from sqlglot import exp

from smartcity.localaws.redshift.faults import SqlError, no_function, not_supported
from smartcity.localaws.redshift.functions import call, cast, text

_PARTS = {
    "year": "year years y yr yrs",
    "quarter": "quarter quarters qtr qtrs",
    "month": "month months mon mons",
    "week": "week weeks w",
    "dow": "dayofweek dow dw weekday",
    "doy": "dayofyear doy dy yearday",
    "day": "day days d",
    "hour": "hour hours h hr hrs",
    "minute": "minute minutes m min mins",
    "second": "second seconds s sec secs",
    "millisecond": "millisecond milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon",
    "microsecond": "microsecond microseconds microsec microsecs usecond useconds us usec usecs",
    "decade": "decade decades dec decs",
    "century": "century centuries c cent cents",
    "millennium": "millennium millennia mil mils",
    "epoch": "epoch",
}
_BY_NAME = {alias: part for part, aliases in _PARTS.items() for alias in aliases.split()}
_ADDED = {
    "year": "to_years",
    "quarter": "to_quarters",
    "month": "to_months",
    "week": "to_weeks",
    "day": "to_days",
    "hour": "to_hours",
    "minute": "to_minutes",
    "second": "to_seconds",
    "millisecond": "to_milliseconds",
    "microsecond": "to_microseconds",
}


def part_of(node: exp.Expr) -> str:
    """The date part named by the first argument of a function, by its full name."""
    name = node.name.lower()
    if name not in _BY_NAME:
        raise SqlError(f'timestamp units "{name}" not recognized')
    return _BY_NAME[name]


def dateadd(args: list[exp.Expr]) -> exp.Expr:
    """The result is a TIMESTAMP even for a date (https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html)."""
    _count("dateadd", args, 3)
    part = part_of(args[0])
    if part not in _ADDED:
        raise not_supported(f"DATEADD of {part}")
    amount = cast(args[1], "DOUBLE" if part in {"second", "millisecond"} else "INT")
    if part == "microsecond":
        amount = cast(args[1], "BIGINT")
    return exp.Paren(this=exp.Add(this=cast(args[2], "TIMESTAMP"), expression=call(_ADDED[part], amount)))


def datediff(args: list[exp.Expr]) -> exp.Expr:
    """Boundaries crossed, not time passed (https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html)."""
    _count("datediff", args, 3)
    part = part_of(args[0])
    if part not in {*_ADDED, "decade", "century", "millennium"} - {"week"}:
        raise not_supported(f"DATEDIFF of {part}")  # AWS does not document on which day its weeks begin
    return call("date_diff", text(part), cast(args[1], "TIMESTAMP"), cast(args[2], "TIMESTAMP"))


def date_trunc(args: list[exp.Expr]) -> exp.Expr:
    """The result is a TIMESTAMP even for a date; weeks begin on Monday (r_DATE_TRUNC.html)."""
    _count("date_trunc", args, 2)
    part = part_of(args[0])
    if part in {"dow", "doy", "epoch"}:
        raise SqlError(f'timestamp units "{args[0].name}" not supported')
    given = args[1].type
    kept = given is not None and given.is_type("TIMESTAMPTZ")
    return call("date_trunc", text(part), args[1] if kept else cast(args[1], "TIMESTAMP"))


def date_part(args: list[exp.Expr]) -> exp.Expr:
    """DOUBLE, seconds with their fraction (r_DATE_PART_function.html)."""
    _count("date_part", args, 2)
    part = part_of(args[0])
    moment = _moment(args[1])
    if part == "second":
        seconds = call("date_part", text("microsecond"), moment)
        return exp.Paren(this=exp.Div(this=cast(seconds, "DOUBLE"), expression=exp.Literal.number("1000000")))
    if part in {"millisecond", "microsecond"}:
        raise not_supported(f"DATE_PART of {part}")
    return cast(call("date_part", text(part), moment), "DOUBLE")


def extract(node: exp.Extract, value: exp.Expr) -> exp.Expr:
    """An INTEGER, without the higher and lower parts (r_EXTRACT_function.html)."""
    part = part_of(node.this)
    moment = _moment(value)
    found: exp.Expr = call("date_part", text(part), moment)
    if part == "epoch":
        return cast(call("floor", found), "BIGINT")
    if part in {"millisecond", "microsecond"}:
        found = exp.Mod(
            this=found, expression=exp.Literal.number({"millisecond": 1000, "microsecond": 1_000_000}[part])
        )
    return cast(found, "INT")


def _moment(value: exp.Expr) -> exp.Expr:
    if isinstance(value, exp.Literal):
        return cast(value, "TIMESTAMP")
    return value


#: Datetime format strings that mean the same in strftime: lengths fixed, no padding with blanks.
_FORMATS = {
    "YYYY": "%Y",
    "YY": "%y",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%I",
    "MI": "%M",
    "SS": "%S",
    "MS": "%g",
    "US": "%f",
    "AM": "%p",
    "PM": "%p",
    "Mon": "%b",
    "Dy": "%a",
    "DDD": "%j",
    "IYYY": "%G",
    "IW": "%V",
}
_PIECES = re.compile("|".join(sorted(map(re.escape, _FORMATS), key=len, reverse=True)) + r"|[^A-Za-z%]|[A-Za-z%]+")


def strftime(node: exp.Expr) -> str:
    """A Redshift format string in strftime's letters; raises `SqlError` for one with a part that we lack."""
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise not_supported("a datetime format that is not a literal")
    done = ""
    for piece in _PIECES.findall(node.name):
        known = _FORMATS.get(piece)
        if known is None and piece.isalpha():
            known = _FORMATS.get(piece.upper()) if piece.islower() and piece.upper() != "MON" else None
        if known is None and (piece.isalpha() or "%" in piece):
            raise not_supported(f"datetime format {piece}")
        done += known or piece
    return done


def to_char(args: list[exp.Expr]) -> exp.Expr:
    """Of dates and timestamps; numbers have another set of formats, which is not supported."""
    _count("to_char", args, 2)
    type_ = args[0].type
    if type_ is None or not type_.is_type("DATE", "TIMESTAMP"):
        raise not_supported("TO_CHAR of anything but a date or timestamp")
    return call("strftime", args[0], text(strftime(args[1])))


def to_date(args: list[exp.Expr]) -> exp.Expr:
    """Text to a date by a format."""
    _count("to_date", args, 2)
    return cast(call("strptime", args[0], text(strftime(args[1]))), "DATE")


def to_timestamp(args: list[exp.Expr]) -> exp.Expr:
    """Text to a TIMESTAMPTZ by a format (r_TO_TIMESTAMP.html)."""
    _count("to_timestamp", args, 2)
    return call("timezone", text("UTC"), call("strptime", args[0], text(strftime(args[1]))))


def _count(name: str, args: list[exp.Expr], expected: int) -> None:
    if len(args) != expected:
        raise no_function(name, ["unknown"] * len(args))


SPECIAL = {
    "dateadd": dateadd,
    "datediff": datediff,
    "date_trunc": date_trunc,
    "date_part": date_part,
    "to_char": to_char,
    "to_date": to_date,
    "to_timestamp": to_timestamp,
}
