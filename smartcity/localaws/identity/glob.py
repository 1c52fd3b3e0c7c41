"""Wildcards of policies: `*` is any run of characters, `?` is one; everything else is literal.

Not `re` and not `fnmatch`: a pattern such as `*a*a*a*a*b` must not take exponential time, and brackets are literal.
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole `text` matches; time grows with len(pattern) × len(text) at worst."""
    if pattern == "*":
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    if pattern.find("*") == len(pattern) - 1 and "?" not in pattern:
        return text.startswith(pattern[:-1])
    return _walk(pattern, text)


def _walk(pattern: str, text: str) -> bool:
    at, position = 0, 0
    star, resume = -1, 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return pattern[at:].strip("*") == ""
