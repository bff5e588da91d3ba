"""The code on the pages runs: python blocks, one after the other in one namespace, and lines that call ``relax``.

A block is not run if the line before it says why: ``<!-- not run: REASON -->``. A small encoder of the package stands
in for EfficientNet-Lite0, so that a page takes seconds; the tutorials run when the site is built.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile
from typer.testing import CliRunner

import relax
from relax.cli import app

ROOT = Path(__file__).parents[1]

ELSEWHERE = {
    "docs/extending.md": "tests/test_extending.py runs it and checks what comes out",
    "docs/multiview.md": "trains on Fashion-MNIST for minutes; `make multiview` runs the same calls",
    "docs/releases.md": "includes the changelog",
}
"""Pages whose blocks are run in another place."""

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if not {"_build", "tutorials", "generated"} & set(path.parts)
)

BLOCK = re.compile(r"^(?:<!-- not run: (.+?) -->\n)?```(python|bash)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """A block of a page."""

    language: str
    text: str
    line: int
    reason: str | None


def blocks_of(page: str) -> list[Code]:
    text = (ROOT / page).read_text()
    return [Code(found[2], found[3], text[: found.start(3)].count("\n"), found[1]) for found in BLOCK.finditer(text)]


def picture(seed: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 90, (48, 64, 3), dtype=np.uint8)
    values[10:30, 8 * seed : 8 * seed + 20] += 120
    return Image.fromarray(values)


@pytest.fixture
def here(tmp_path, monkeypatch, _registries_as_before):
    """A folder with the files that the pages speak of; a small encoder under the name of the large one."""
    small = relax.load_encoder("fashion:simclr")

    class Small:
        """A stand-in."""

        def __call__(self, name: str = "", **options):
            return relax.Encoder(small.model, transform=small.transform, name="efficientnet-lite0")

    relax.register("encoder", "efficientnet-lite0", Small())
    for number, name in enumerate(("a.jpg", "b.jpg", "photo.jpg", "other.jpg", "query.jpg")):
        picture(number).save(tmp_path / name)
    for folder in ("photos", "cats", "dogs"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            picture(number).save(tmp_path / folder / f"{folder}-{number}.jpg")
    (tmp_path / "manual").mkdir()
    for name, text in (
        ("manual/read.txt", "Read a CSV file with the module csv."),
        ("letter.txt", "Dear cat, sleep well."),
        ("clients.csv", "id,body\n" + 4 * "1,The printer is jammed.\n"),
    ):
        (tmp_path / name).write_text(text)
    for number, name in enumerate(("speech.wav", "other.wav"), start=1):
        seconds = np.arange(16000) / 16000
        voice = np.sin(2 * np.pi * 110 * number * seconds) * np.sin(2 * np.pi * 3 * seconds)
        wavfile.write(tmp_path / name, 16000, (voice * 20000).astype(np.int16))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_commands(code: Code, page: str) -> None:
    """Run the lines that call ``relax``; other programs are not ours."""
    for line in code.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["relax"]:
            continue
        if words[1] != "list" and "--out" not in words and words[1] in ("explain", "match", "compare", "duplicates"):
            words += ["--out", f"relax-out-{abs(hash(line))}"]
        done = CliRunner().invoke(app, words[1:], prog_name="relax")
        if done.exit_code and "pip install" in done.output:  # a missing extra, and what to do
            pytest.skip(done.output.strip())
        assert done.exit_code == 0, f"{page}: {line}\n{done.output}\n{done.exception}"


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE and blocks_of(page)])
@pytest.mark.filterwarnings("default::relax.errors.RelaxWarning")
def test_the_blocks_of_the_page_run(page, here):
    names = {"__name__": "page", "relax": relax, "encoder": relax.load_encoder("efficientnet-lite0")}
    torch.manual_seed(0)
    for code in blocks_of(page):
        if code.reason:
            continue
        if code.language == "bash":
            run_commands(code, page)
            continue
        try:
            exec(compile("\n" * code.line + code.text, page, "exec", dont_inherit=True), names)
        except relax.MissingExtraError as error:
            pytest.skip(str(error))


def test_every_public_name_is_in_the_reference():
    listed = (ROOT / "docs" / "reference" / "python.md").read_text()
    public = set(relax.__all__) - {"__version__"}
    missing = [name for name in sorted(public) if not re.search(rf"^   {name}$", listed, re.MULTILINE)]
    assert not missing, f"add to docs/reference/python.md: {missing}"


def test_every_error_is_public():
    kinds = [value for value in vars(relax.errors).values() if isinstance(value, type)]
    raised = {kind.__name__ for kind in kinds if issubclass(kind, (relax.RelaxError, relax.RelaxWarning))}
    assert raised <= set(relax.__all__)
    assert len(raised) == 8


def test_a_block_that_fails_is_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = Code("bash", "relax explain missing.jpg\n", 1, None)
    with pytest.raises(AssertionError, match=r"missing\.jpg"):
        run_commands(code, "a page")
