"""What local AWS implements, read from the services themselves.

python -m smartcity.localaws.operations                          print the table
python -m smartcity.localaws.operations --write docs/local-aws.md   put it into the page
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from smartcity.localaws.api import Context, Service
from smartcity.localaws.services import FROM_CONTEXT, Options, ready, registry
from smartcity.localaws.wire.models import service_model

BEGIN, END = "<!-- operations: begin -->", "<!-- operations: end -->"


def implemented() -> dict[str, list[str]]:
    """Service → its operations, by name. Builds every service in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(Path(folder), 1, "eu-west-2", "000000000000", "http://127.0.0.1:1")
        built = registry(options, further=_built)
        try:
            return {service.name: sorted(service.operations) for service in built}
        finally:
            built.stop()


def _built(context: Context) -> list[Service]:
    return [ready(module, name, context) for _, module, name in FROM_CONTEXT]


def table(found: Mapping[str, list[str]]) -> str:
    """The operations as a table in Markdown, with how many of the service's whole API they are."""
    return "\n".join(["| service | operations | |", "|---|---|---|", *_rows(found)])


def _rows(found: Mapping[str, list[str]]) -> Iterator[str]:
    for service, names in found.items():
        whole = len(service_model(service).operation_names)
        yield f"| {service} | {', '.join(names)} | {len(names)} of {whole} |"


def replaced(page: str, text: str) -> str:
    """The page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Print the table, or write it into the page named after `--write`."""
    text = table(implemented())
    if arguments[:1] == ["--write"]:
        page = Path(arguments[1])
        page.write_text(replaced(page.read_text(), text))
    else:
        sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
