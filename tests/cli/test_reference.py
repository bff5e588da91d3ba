"""References on the command line: the same as the Python call, and what does not go together is said."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import relax
from relax.cli import app

FAST = ["--encoder", "fashion:untrained", "--masks", "256", "--quiet"]


@pytest.fixture
def folders(tmp_path):
    generator = np.random.default_rng(0)
    for name, n in (("these", 2), ("those", 3)):
        (tmp_path / name).mkdir()
        for number in range(n):
            noise = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / name / f"{number}.png")
    return tmp_path / "these", tmp_path / "those"


def test_a_folder_and_a_foil_are_a_corpus(folders, tmp_path):
    these, those = folders
    command = ["explain", str(these / "0.png"), "--against", str(these), "--foil", str(those), *FAST]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    made = relax.Explanation.load(tmp_path / "out" / "0.npz")
    corpus = relax.Corpus(*([str(path) for path in sorted(folder.iterdir())] for folder in folders))
    expected = relax.explain("fashion:untrained", str(these / "0.png"), corpus, n_masks=256)
    np.testing.assert_allclose(made.importance, expected.importance, atol=1e-5)
    assert made.settings["against"]["source"] == "2 inputs rather than 3 others"
    assert made.signed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--foil", "THOSE"], "--foil needs --against"),
        (["--foil-text", "a dog"], "--foil-text needs --against-text"),
        (["--against-text", "a cat", "--against", "THESE"], "either --against-text or --against"),
        (["--against-text", "a cat"], "no text tower"),
    ],
)
def test_what_does_not_go_together_is_said(folders, tmp_path, options, words):
    these, those = map(str, folders)
    options = [{"THESE": these, "THOSE": those}.get(option, option) for option in options]
    result = CliRunner().invoke(app, ["explain", f"{these}/0.png", *options, *FAST, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert words in result.output
    assert not list((tmp_path / "out").glob("*.npz"))
