"""Disk faults as sentences, and the two locks that keep parallel commands apart."""

from __future__ import annotations

import errno
import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartcity.errors import PrerequisiteError, ServiceError

_POLL_S = 0.05


@contextmanager
def writable(folder: Path, setting: str) -> Iterator[None]:
    """Turn "no permission", "read-only" and "no space" below `folder` into sentences that name the `setting`."""
    try:
        yield
    except OSError as error:
        raise _as_sentence(error, folder, setting) from error


def _as_sentence(error: OSError, folder: Path, setting: str) -> Exception:
    hint = f"Make it writable, or set {setting} to another folder."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PrerequisiteError(
            f"The disk of {folder} is full.", f"Free some space, or set {setting} to another disk."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PrerequisiteError(f"The folder {folder} cannot be written to.", hint)
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return PrerequisiteError(
            f"{folder} cannot be a folder: a file is in the way.",
            f"Move that file, or set {setting} to another folder.",
        )
    if error.errno == errno.ENOENT:
        return PrerequisiteError(f"The folder {folder} cannot be made.", f"Set {setting} to another folder.")
    return error


def require_space(folder: Path, needed_mb: float, purpose: str, setting: str) -> None:
    """Raise `PrerequisiteError` unless `needed_mb` are free on the disk that holds, or will hold, `folder`."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free_mb = shutil.disk_usage(existing).free / 1e6
    if free_mb < needed_mb:
        raise PrerequisiteError(
            f"{purpose} needs {needed_mb:,.0f} MB below {folder}, and {free_mb:,.0f} MB are free.",
            f"Free some space, or set {setting} to another disk.",
        )


@contextmanager
def exclusive(file: Path, timeout_s: float, holder: str) -> Iterator[None]:
    """Hold the lock `file`, which the kernel releases when its holder dies.

    Raises `ServiceError` saying that `holder` is still at work when it cannot be had within `timeout_s`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with file.open("a") as handle:
        while not _try_lock(handle.fileno()):
            if time.monotonic() > deadline:
                raise ServiceError(f"{holder} has been at work for {timeout_s:.0f} s.", "Wait for it, or end it.")
            time.sleep(_POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
