"""From files in folders to tables with partitions.

AWS's rule (https://docs.aws.amazon.com/glue/latest/dg/crawler-s3-folder-table-partition.html): when the majority of
schemas at a folder level are similar, the folders of that level are partitions of one table, otherwise each is a
table of its own. The tree is resolved from its leaves:

- files of one folder that are read alike and look alike are one leaf; a file that does not fit (another format,
  another schema) becomes a table of its own, named after it, as AWS does;
- sibling folders `key=value` with one key, or several siblings of any names, become partitions if at least 70 % of
  them are similar; those that are not remain tables of their own. A single sibling without a key is a partition only
  if its name is a number or a date;
- at the level that `TableLevelConfiguration` names there is exactly one table per folder, and none above it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from smartcity.localaws.glue.crawl.facts import UNKNOWN_FORMAT, Columns, Facts
from smartcity.localaws.glue.crawl.listing import S3Object
from smartcity.localaws.glue.crawl.schema import SIMILARITY, merge_columns, similarity

_HIVE = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_NUMBER_OR_DATE = re.compile(r"\d[\d\-_T:.Z]*", re.ASCII)


@dataclass(frozen=True)
class Amount:
    """How much lies in a folder."""

    objects: int = 0
    bytes: int = 0
    rows: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.objects + other.objects, self.bytes + other.bytes, self.rows + other.rows)


@dataclass(frozen=True)
class Leaf:
    """A folder (or one file) with data: a partition, or a whole table if it has no `values`."""

    prefix: str
    columns: Columns
    amount: Amount
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A table: `prefix` is its root; `keys` are the names of its partition levels from the root down."""

    bucket: str
    prefix: str
    facts: Facts  #: format, compression, options and merged columns of the whole table
    leaves: tuple[Leaf, ...]
    keys: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def amount(self) -> Amount:
        """Everything in the table."""
        return sum((leaf.amount for leaf in self.leaves), Amount())


@dataclass(frozen=True)
class Grouping:
    """How folders are grouped: `table_level` counts from the bucket (1); `combine` ignores how similar schemas are."""

    table_level: int | None = None
    combine: bool = False


@dataclass
class _Folder:
    prefix: str
    files: list[tuple[S3Object, Facts]] = field(default_factory=list)
    folders: dict[str, _Folder] = field(default_factory=dict)
    kinds: Counter[tuple[object, ...]] = field(default_factory=Counter)  #: signatures of all files at any depth

    def usual_kind(self, otherwise: tuple[object, ...] | None) -> tuple[object, ...] | None:
        """What most files here are, so that one stray file does not decide over a small folder."""
        kind, count = self.kinds.most_common(1)[0]
        return kind if 2 * count > self.kinds.total() else otherwise


def find_tables(
    bucket: str,
    prefix: str,
    objects: Iterable[tuple[S3Object, Facts]],
    grouping: Grouping = Grouping(),
) -> list[Found]:
    """The tables below `s3://bucket/prefix`, in the order of their locations."""
    root = _Folder(prefix)
    for item, facts in objects:
        if facts.format == UNKNOWN_FORMAT:
            continue
        folder, below = root, item.folder[len(prefix) :]
        root.kinds[facts.signature] += 1
        for name in below.split("/")[:-1]:
            if name not in folder.folders:
                folder.folders[name] = _Folder(f"{folder.prefix}{name}/")
            folder = folder.folders[name]
            folder.kinds[facts.signature] += 1
        folder.files.append((item, facts))
    if not root.kinds:
        return []
    main, others = _Resolver(bucket, prefix, grouping).resolve(root, None)
    found = [*([main] if main else []), *others]
    return sorted(found, key=lambda table: table.prefix)


class _Resolver:
    """Walks the tree of one target."""

    def __init__(self, bucket: str, root: str, grouping: Grouping) -> None:
        self._bucket, self._root, self._grouping = bucket, root, grouping

    def resolve(self, folder: _Folder, usual: tuple[object, ...] | None) -> tuple[Found | None, list[Found]]:
        """The table that a folder as a whole is (part of), if any, and the tables below it that are not part of it.

        `usual` is what most files around this folder are.
        """
        usual = folder.usual_kind(otherwise=usual)
        own, strays = self._files(folder, usual)
        if not folder.folders:
            return own, strays
        below: dict[str, Found] = {}
        for name, child in folder.folders.items():
            main, others = self.resolve(child, usual)
            strays += others
            if main:
                below[name] = main
        combined, separate = self._combine(folder, below)
        strays += separate
        if own and (combined or below):
            return self._with_own_files(folder, own, combined, strays)
        return combined or own, strays

    def _with_own_files(
        self, folder: _Folder, own: Found, combined: Found | None, strays: list[Found]
    ) -> tuple[Found | None, list[Found]]:
        """A folder with files and sub-folders: partitions win over files, except over more files than they hold."""
        hive = combined is not None and "=" in next(iter(folder.folders))
        if combined is None:
            return (None, [own, *strays]) if not self._is_table(folder) else (own, strays)
        if hive or combined.amount.objects >= own.amount.objects:
            return combined, strays + self._as_single_files(folder.files)
        return own, [combined, *strays]

    def _files(self, folder: _Folder, usual: tuple[object, ...] | None) -> tuple[Found | None, list[Found]]:
        """The files of a folder as one leaf, and those that do not belong to it."""
        if not folder.files:
            return None, []
        kinds = Counter(facts.signature for _, facts in folder.files)
        signature = usual if usual in kinds else kinds.most_common(1)[0][0]
        alike = [index for index, (_, facts) in enumerate(folder.files) if facts.signature == signature]
        group = _clusters([folder.files[index][1].columns for index in alike], strict=False)[0]
        chosen = {alike[index] for index in group}
        members = [pair for index, pair in enumerate(folder.files) if index in chosen]
        rest = [pair for index, pair in enumerate(folder.files) if index not in chosen]
        if signature != usual and len(members) < SIMILARITY * len(folder.files) and not self._is_forced(folder):
            return None, self._as_single_files(folder.files)
        leaf = Leaf(folder.prefix, merge_columns(facts.columns for _, facts in members), _amount(members))
        facts = replace(members[0][1], columns=leaf.columns, rows=leaf.amount.rows)
        return Found(self._bucket, folder.prefix, facts, (leaf,)), self._as_single_files(rest)

    def _as_single_files(self, files: Sequence[tuple[S3Object, Facts]]) -> list[Found]:
        return [
            Found(self._bucket, item.key, facts, (Leaf(item.key, facts.columns, _amount([(item, facts)])),))
            for item, facts in files
        ]

    def _level(self, folder: _Folder) -> int:
        return 1 + folder.prefix.count("/")

    def _is_table(self, folder: _Folder) -> bool:
        return self._grouping.table_level == self._level(folder)

    def _is_forced(self, folder: _Folder) -> bool:
        return self._is_table(folder) or (self._grouping.combine and folder.prefix == self._root)

    def _combine(self, folder: _Folder, below: dict[str, Found]) -> tuple[Found | None, list[Found]]:
        """Sub-folders as partitions of one table, if they are; and those that are not part of it."""
        above = self._grouping.table_level is not None and self._level(folder) < self._grouping.table_level
        if not below or above:
            return None, list(below.values())
        key, names = self._candidates(folder, below)
        tables = [below[name] for name in names]
        if not tables:
            return None, list(below.values())
        forced = self._is_forced(folder)
        members = _largest_group(tables, strict=key is None, ignore_schema=forced or self._grouping.combine)
        if not forced and len(members) < SIMILARITY * len(below):
            return None, list(below.values())
        chosen = {names[index]: tables[index] for index in members}
        rest = [table for name, table in below.items() if name not in chosen]
        return self._partitioned(folder, key, chosen), rest

    def _candidates(self, folder: _Folder, below: dict[str, Found]) -> tuple[str | None, list[str]]:
        """The most common key of `key=value` folders and its folders; without keys, folders that may be partitions."""
        by_key: dict[str, list[str]] = defaultdict(list)
        for name in below:
            hive = _HIVE.fullmatch(name)
            if hive:
                by_key[hive[1].lower()].append(name)
        if by_key:
            key = max(by_key, key=lambda name: len(by_key[name]))
            return key, by_key[key]
        lonely = len(below) == 1 and not _NUMBER_OR_DATE.fullmatch(next(iter(below)))
        return None, [] if lonely and not self._is_forced(folder) else list(below)

    def _partitioned(self, folder: _Folder, key: str | None, parts: dict[str, Found]) -> Found:
        first = next(iter(parts.values()))
        leaves = tuple(
            replace(leaf, values=(_value(name, key), *leaf.values))
            for name, part in parts.items()
            for leaf in part.leaves
        )
        columns = merge_columns(part.facts.columns for part in parts.values())
        keys = _numbered((key or "", *first.keys))
        columns = tuple((name, kind) for name, kind in columns if name not in keys)
        return Found(self._bucket, folder.prefix, replace(first.facts, columns=columns), leaves, keys)


def _value(name: str, key: str | None) -> str:
    return unquote(name.partition("=")[2]) if key is not None else name


def _numbered(keys: Sequence[str]) -> tuple[str, ...]:
    """Levels without a key are called `partition_0`, `partition_1` … by their place."""
    return tuple(
        f"partition_{index}" if not key or key.startswith("partition_") else key for index, key in enumerate(keys)
    )


def _amount(files: Iterable[tuple[S3Object, Facts]]) -> Amount:
    return sum((Amount(1, item.size, facts.rows) for item, facts in files), Amount())


def _largest_group(tables: Sequence[Found], strict: bool, ignore_schema: bool) -> list[int]:
    """Indexes of the most tables that are read alike, have the same levels, and look alike."""
    kinds: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, table in enumerate(tables):
        kinds[*table.facts.signature, table.keys].append(index)
    alike = max(kinds.values(), key=len)
    if ignore_schema:
        return alike
    groups = _clusters([tables[index].facts.columns for index in alike], strict)
    return sorted(alike[index] for index in groups[0])


def _clusters(schemas: Sequence[Columns], strict: bool) -> list[list[int]]:
    """Indexes of similar schemas, the largest cluster first; each is compared with what a cluster has become so far."""
    distinct: dict[str, list[int]] = defaultdict(list)
    for index, schema in enumerate(schemas):
        distinct[repr(schema)].append(index)
    clusters: list[tuple[Columns, list[int]]] = []
    for indexes in sorted(distinct.values(), key=len, reverse=True):
        schema = schemas[indexes[0]]
        for number, (merged, members) in enumerate(clusters):
            if similarity(merged, schema, strict) >= SIMILARITY:
                clusters[number] = (merge_columns([merged, schema]), members + indexes)
                break
        else:
            clusters.append((schema, list(indexes)))
    return sorted((members for _, members in clusters), key=len, reverse=True)
