"""Name patterns of GetTables and GetUserDefinedFunctions, matched by RE2, which no pattern can keep busy."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from smartcity.localaws.glue.faults import invalid

#: A `*` that is not already a regular expression's repetition means "anything", as in Hive.
_WILDCARD = re.compile(r"(?<![.)\]\\])\*")


def matching(names: list[str], pattern: str) -> list[str]:
    """The names that a Hive-style pattern (regular expression, `*` for anything, `|`) matches as a whole.

    Raises InvalidInputException when the pattern cannot be compiled.
    """
    expression = f"^(?:{_WILDCARD.sub('.*', pattern)})$"
    try:
        mask = pc.match_substring_regex(pa.array(names, pa.string()), expression, ignore_case=True)
    except pa.ArrowInvalid as error:
        raise invalid(f"Invalid pattern '{pattern}': {error}") from None
    return [name for name, found in zip(names, mask.to_pylist(), strict=True) if found]
