"""The examples of the pages on tables, series and sound run."""

import re
from pathlib import Path

import pytest
import torch

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["tables", "series", "sound"])
def test_the_example_runs(page, tmp_path, monkeypatch):
    if page == "tables":
        pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    with torch.random.fork_rng():
        exec("\n".join(examples), {})
    assert list(tmp_path.glob("*.png"))
