"""Two tiny Java classes and two lists of names that Trino needs and no Maven repository has, written from scratch.

Trino's main class exists only inside a 194 MB archive; ours does the same in one line: `new Server().start("476")`.
The Hive connector refers to one interface of Coral, a translator of Hive views that Athena does not have; an empty
interface of that name saves its 29 MB. Names of plugins normally lie in separate archives as well.
"""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from pathlib import Path

MAIN_CLASS = "SmartCityTrino"
_SERVER = "io/trino/server/Server"
_OBJECT = "java/lang/Object"
_HIVE_VIEWS = "com/linkedin/coral/common/HiveMetastoreClient"
_PLUGINS = "META-INF/services/io.trino.spi.Plugin"

_JAVA_8 = 52
_PUBLIC_STATIC = 0x0009
_PUBLIC_FINAL_SUPER = 0x0031
_PUBLIC_INTERFACE = 0x0601


class ConstantPool:
    """The table of constants of a class file (JVM specification, 4.4)."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []

    def _add(self, tag: int, body: bytes) -> int:
        entry = bytes([tag]) + body
        if entry not in self._entries:
            self._entries.append(entry)
        return self._entries.index(entry) + 1

    def utf8(self, text: str) -> int:
        """A text (4.4.7)."""
        return self._add(1, struct.pack(">H", len(text.encode())) + text.encode())

    def class_(self, name: str) -> int:
        """A class, its packages parted by slashes (4.4.1)."""
        return self._add(7, struct.pack(">H", self.utf8(name)))

    def string(self, text: str) -> int:
        """A String literal (4.4.3)."""
        return self._add(8, struct.pack(">H", self.utf8(text)))

    def method(self, owner: int, name: str, descriptor: str) -> int:
        """A method of a class (4.4.2, 4.4.6)."""
        name_and_type = self._add(12, struct.pack(">HH", self.utf8(name), self.utf8(descriptor)))
        return self._add(10, struct.pack(">HH", owner, name_and_type))

    @property
    def bytes(self) -> bytes:
        """The table as it stands in the file."""
        return struct.pack(">H", len(self._entries) + 1) + b"".join(self._entries)


def main_class(version: str) -> bytes:
    """A class whose `main` starts Trino's server and tells it its version."""
    pool = ConstantPool()
    server = pool.class_(_SERVER)
    code = b"".join(
        (
            b"\xbb" + struct.pack(">H", server),  # new Server
            b"\x59",  # dup
            b"\xb7" + struct.pack(">H", pool.method(server, "<init>", "()V")),  # invokespecial
            b"\x12" + bytes([pool.string(version)]),  # ldc
            b"\xb6" + struct.pack(">H", pool.method(server, "start", "(Ljava/lang/String;)V")),  # invokevirtual
            b"\xb1",  # return
        )
    )
    body = struct.pack(">HHI", 2, 1, len(code)) + code + struct.pack(">HH", 0, 0)
    attribute = struct.pack(">HI", pool.utf8("Code"), len(body)) + body
    name, descriptor = pool.utf8("main"), pool.utf8("([Ljava/lang/String;)V")
    method = struct.pack(">HHHH", _PUBLIC_STATIC, name, descriptor, 1) + attribute
    return _class_file(pool, MAIN_CLASS, _PUBLIC_FINAL_SUPER, [method])


def empty_interface(name: str) -> bytes:
    """An interface without methods."""
    return _class_file(ConstantPool(), name, _PUBLIC_INTERFACE, [])


def _class_file(pool: ConstantPool, name: str, access: int, methods: list[bytes]) -> bytes:
    """JVM specification, 4.1. Version 52 needs no stack maps where the code does not branch."""
    this, parent = pool.class_(name), pool.class_(_OBJECT)
    head = b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, _JAVA_8) + pool.bytes
    return head + struct.pack(">HHHHHH", access, this, parent, 0, 0, len(methods)) + b"".join(methods) + b"\0\0"


def launcher_jar(version: str) -> bytes:
    """The jar with the main class, the same bytes every time."""
    return _jar({f"{MAIN_CLASS}.class": main_class(version)})


def plugin_jar(*plugins: str) -> bytes:
    """The jar that names the plugin classes of a folder and stands in for Coral."""
    names = "".join(f"{plugin}\n" for plugin in plugins).encode()
    return _jar({_PLUGINS: names, f"{_HIVE_VIEWS}.class": empty_interface(_HIVE_VIEWS)})


def _jar(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as jar:
        for name, content in files.items():
            jar.writestr(zipfile.ZipInfo(name), content)  # without a time of now
    return buffer.getvalue()


def write_if_changed(path: Path, content: bytes) -> Path:
    """Leave an equal file alone: start-up caches compare modification times."""
    try:
        same = path.read_bytes() == content
    except OSError:
        same = False
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(content)
        partial.replace(path)
    return path
