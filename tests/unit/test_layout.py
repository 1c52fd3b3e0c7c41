from __future__ import annotations

from smartcity import layout


def test_keys_of_a_batch_depend_on_query_batch_and_part_only() -> None:
    file = layout.batch_file("0f5c2b1a-1111-2222-3333-444455556666", 7, 0)
    assert file == "0f5c2b1a-000000007-000.parquet"
    assert layout.data_key("gps", "2026-03-01", file) == f"lake/gps/dt=2026-03-01/{file}"
    assert layout.quarantine_key("gps", "2026-03-01", file) == f"quarantine/gps/dt=2026-03-01/{file}"
    assert layout.commit_key("q", 7) == "commits/q/000000007.json"
