"""The command line, as a process: outputs, exit codes, nothing half-written."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import relax
from relax.cli import app


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "relax", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)).save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def test_help_version_and_lists():
    assert run("--version").stdout == f"relax {relax.__version__}\n"
    assert "explain" in run("--help").stdout
    assert run("list", "methods").stdout.startswith("relax ")
    assert "efficientnet-lite0" in run("list", "encoders").stdout
    unknown = run("list", "recipes")
    assert unknown.returncode == 2
    assert "available: encoders, methods" in unknown.stderr


def test_help_does_not_wait_for_torch():
    code = "import sys, relax.cli; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pictures_are_explained_and_bad_ones_skipped(photo, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    photo.rename(folder / "a.jpg")
    Image.new("RGB", (30, 20), "red").save(folder / "sub" / "a.png")
    (folder / "broken.png").write_text("no")
    out = tmp_path / "out"
    done = run("explain", folder, folder / "sub" / "a.png", "--masks", "256", "--out", out, "--json", "--quiet")
    assert done.returncode == 1
    assert "broken.png: not a picture" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["input"] for row in rows] == [str(folder / "a.jpg"), str(folder / "sub" / "a.png")]
    names = {"input", "encoder", "method", "n_masks", "reliability", "score", "against", "neutral", "seconds", "files"}
    assert set(rows[0]) == names
    assert sorted(str(p.relative_to(out)) for p in out.glob("**/*.*")) == [
        f"{name}{ending}" for name in ("in/a", "sub/a") for ending in (".npz", ".png")
    ]
    e = relax.Explanation.load(out / "in" / "a.npz")
    assert e.n_masks == 256
    assert e.at_picture_size().shape == (50, 70)


def test_a_file_of_messages_has_no_control_characters(photo, tmp_path):
    done = run("explain", photo, "--masks", "256", "--out", tmp_path / "out")
    assert done.returncode == 0
    assert "256 masks" in done.stderr
    assert all(char.isprintable() or char == "\n" for char in done.stderr)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.jpg"], "missing.jpg: no such file"),
        (["photo.jpg", "--encoder", "effnet"], "unknown encoder 'effnet'"),
        (["photo.jpg", "--method", "reluxe"], "unknown method 'reluxe'"),
        (["photo.jpg", "--kind", "hexagons"], "unknown kind of masks 'hexagons'"),
        (["photo.jpg", "--masks", "0"], "positive integer, got 0"),
        (["photo.jpg", "--engine", "tensorrt"], "one of auto, torch, onnxruntime, openvino, got 'tensorrt'"),
        (["photo.jpg", "--kind", "grid", "--cells", "7x7x7"], "N or ROWSxCOLUMNS"),
        (["photo.jpg", "--cells", "7"], "name it by --kind"),
        (["photo.jpg", "--out", "photo.jpg/x"], "cannot create this folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(photo, arguments, words):
    done = run("explain", *arguments, "--quiet", cwd=photo.parent)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not list(photo.parent.glob("**/*.npz"))


def test_the_engine_that_was_named_is_used_and_recorded(photo, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    out = tmp_path / "out"
    done = run("explain", photo, "--masks", "64", "--engine", "onnxruntime", "--threads", "1", "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    assert relax.Explanation.load(out / "photo.npz").arguments()["engine"] == "onnxruntime"


def test_a_target_that_is_not_reached_is_said(photo, tmp_path):
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    photo.rename(folder / "photo.jpg")
    command = ["explain", folder / "photo.jpg", "--encoder", "fashion:untrained", "--out", tmp_path / "out"]
    done = CliRunner().invoke(app, list(map(str, [*command, "--reliability", 0.9999, "--max-masks", 64])))
    assert done.exit_code == 0, done.stderr
    assert "g/photo.jpg: 64 masks, reliability 0." in done.stderr
    assert " (target 0.9999 not reached)" in done.stderr


def test_several_fills_are_taken_together(photo, tmp_path):
    options = ["--encoder", "fashion:untrained", "--masks", 64, "--out", tmp_path, "--quiet"]
    done = CliRunner().invoke(app, list(map(str, ["explain", photo, "--fill", "mean", "--fill", "#102030", *options])))
    assert done.exit_code == 0, done.stderr
    first, second = relax.Explanation.load(tmp_path / "photo.npz").settings["fill"]
    assert first["name"] == "mean"
    assert second["color"] == [16, 32, 48]


def test_the_results_of_the_demo_are_refused_skipped_or_replaced(tmp_path, monkeypatch):
    (tmp_path / "chelsea.png").write_text("mine")
    demo = ["demo", "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, demo)
    assert refused.exit_code == 2
    wanted = "exists; give --overwrite or --skip-existing, or another --out"
    assert refused.stderr == f"relax: error: {tmp_path / 'chelsea.png'}: {wanted}\n"
    assert (tmp_path / "chelsea.png").read_text() == "mine"
    policies = []

    def explained(explainer, targets, out, policy, *_):
        policies.append(policy)

    monkeypatch.setattr(sys.modules["relax.cli.explain"], "_explain_files", explained)
    for options in ((), ("--overwrite",), ("--skip-existing",)):
        assert CliRunner().invoke(app, [*demo, *options]).exit_code == 0
    assert policies == ["refuse", "overwrite", "skip"]


@pytest.mark.parametrize(("method", "asked", "used"), [("relax", 200, 256), ("relax-regression", 1, 4)])
def test_more_masks_than_asked_for_are_said_and_recorded(photo, tmp_path, method, asked, used):
    common = ["--encoder", "fashion:untrained", "--method", method, "--quiet", "--overwrite", "--json"]
    command = ["explain", str(photo), *common, "--out", str(tmp_path)]
    note = f"relax: note: {used} masks were used, not {asked}: masks come in whole blocks\n"
    done = CliRunner().invoke(app, [*command, "--masks", str(asked)])
    assert done.exit_code == 0
    assert done.stderr == note
    assert json.loads(done.stdout)["n_masks"] == used
    e = relax.Explanation.load(tmp_path / "photo.npz")
    assert (e.n_masks, e.settings["stopping"]) == (used, {"n_masks": asked})
    for enough in (["--masks", str(used)], ["--max-masks", "512"]):
        assert "masks were used" not in CliRunner().invoke(app, [*command, *enough]).stderr


def test_more_masks_than_asked_for_are_said_of_matches_and_runs(photo, tmp_path):
    common = ["--encoder", "fashion:untrained", "--masks", "1", "--quiet"]
    note = "relax: note: 4 masks were used, not 1: masks come in whole blocks\n"
    Image.open(photo).rotate(90).save(tmp_path / "other.jpg")
    for command in (
        ["match", str(photo), str(tmp_path / "other.jpg"), "--out", str(tmp_path / "out")],
        ["run", str(photo), "--out", str(tmp_path / "store")],
    ):
        done = CliRunner().invoke(app, [*command, *common])
        assert done.exit_code == 0, done.output
        assert note in done.stderr


def test_a_number_of_neighbours_has_no_effect_on_a_pair_and_that_is_said(photo, tmp_path):
    other = tmp_path / "other.jpg"
    Image.open(photo).rotate(90).save(other)
    command = ["match", str(photo), str(other), "--out", str(tmp_path / "out"), "--encoder", "fashion:untrained"]
    said = f"relax: note: -k 3 has no effect: {other} is one input\n"
    assert CliRunner().invoke(app, [*command, "--masks", "4", "-k", "3"]).stderr == said
    assert CliRunner().invoke(app, [*command, "--masks", "4", "--overwrite"]).stderr == ""


def test_an_input_is_never_overwritten(tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    done = run("explain", tmp_path / "a.png", "--out", tmp_path)
    assert done.returncode == 2
    assert "would be overwritten" in done.stderr
    assert (tmp_path / "a.png").read_bytes() == before


def _interrupted(process: subprocess.Popen) -> str:
    """Press Ctrl-C, and again after a while, as people do; Python drops the signal if it falls into a destructor."""
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.communicate()[1]


def test_interrupted_runs_keep_finished_files_and_continue(photo, tmp_path):
    out, many = tmp_path / "out", tmp_path / "many"
    many.mkdir()
    for number in range(200):  # more than any machine does before it is interrupted
        (many / f"{number:03d}.jpg").write_bytes(photo.read_bytes())
    command = ["explain", many, "--masks", "64", "--out", out, "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "relax", *map(str, command), "--batch-size", "1"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which background jobs of a shell ignore
    )
    deadline = time.monotonic() + 120
    while not (out / "000.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    errors = _interrupted(process)
    assert process.returncode == 130
    assert "interrupted" in errors
    names = {p.name for p in out.iterdir()}
    assert {"000.npz", "000.png"} <= names
    assert all(name.endswith((".png", ".npz")) for name in names)  # nothing half-written
    archives = {name[:-4] for name in names if name.endswith(".npz")}
    assert archives <= {name[:-4] for name in names if name.endswith(".png")}
    for path in sorted(many.iterdir())[len(archives) + 1 :]:
        path.unlink()
    refused = run(*command)
    assert refused.returncode == 2
    assert "--overwrite or --skip-existing" in refused.stderr
    before = {name: (out / f"{name}.npz").stat().st_mtime_ns for name in archives}
    assert run(*command, "--skip-existing").returncode == 0
    assert {p.stem for p in out.glob("*.npz")} == {p.stem for p in many.iterdir()}
    assert {name: (out / f"{name}.npz").stat().st_mtime_ns for name in archives} == before


def test_results_of_views_are_refused_skipped_or_replaced(tmp_path, monkeypatch):
    import torch

    encoder = relax.Encoder(lambda views: torch.cat([views["a"], views["b"]], 1) + 1, views=["a", "b"])
    monkeypatch.setattr("relax.encoders.load_encoder", lambda name, **options: encoder)
    options = []
    for key in "ab":
        np.save(tmp_path / f"{key}.npy", np.random.default_rng(0).random(8, dtype=np.float32))
        options += ["--view", f"{key}={tmp_path / f'{key}.npy'}"]
    command = ["explain", *options, "--masks", "256", "--out", str(tmp_path / "out"), "--quiet", "--json"]
    run = CliRunner().invoke
    first = run(app, command)
    assert first.exit_code == 0, first.output
    file = tmp_path / "out" / "a-a.npz"
    before = file.stat().st_mtime_ns
    refused = run(app, command)
    assert refused.exit_code == 2
    assert "exists; give --overwrite or --skip-existing" in refused.output
    skipped = run(app, [*command, "--skip-existing"])
    assert skipped.exit_code == 0
    assert "1 skipped: results exist" in skipped.output
    assert file.stat().st_mtime_ns == before
    replaced = run(app, [*command, "--overwrite"])
    assert replaced.exit_code == 0, replaced.output
    assert file.stat().st_mtime_ns > before


def test_recordings_are_explained_with_a_page_and_bad_ones_skipped(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    if find_spec("resemblyzer") is None:
        pytest.skip("resemblyzer is not installed")
    time_ = np.arange(8000) / 8000
    soundfile.write(tmp_path / "a.wav", np.stack([np.sin(700 * time_ * (1 + time_))] * 2, 1) / 4, 8000)
    (tmp_path / "b.wav").write_text("no")
    done = run(
        "explain",
        tmp_path / "a.wav",
        tmp_path / "b.wav",
        "--masks",
        "32",
        "--out",
        tmp_path / "out",
        "--json",
        "--quiet",
    )
    assert done.returncode == 1
    assert "b.wav: cannot be read as a recording" in done.stderr
    assert "2 channels; their average is explained" in done.stderr
    assert "resampled from 8000 Hz to 16000 Hz" in done.stderr
    assert "Traceback" not in done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["encoder"] == "sound:resemblyzer"
    assert "<audio" in (tmp_path / "out" / "a.html").read_text()
    assert relax.Explanation.load(tmp_path / "out" / "a.npz").settings["modality"] == "sound"
    assert run("explain", tmp_path / "b.wav", "--out", tmp_path / "out").returncode == 2


@pytest.mark.parametrize(("views", "names"), [(2, ["0", "1"]), (["a/b", "c"], ["a/b", "c"])])
def test_views_with_numbers_and_odd_names(tmp_path, monkeypatch, views, names):
    import torch

    encoder = relax.Encoder(
        lambda some: torch.cat(list(some.values() if isinstance(some, dict) else some), 1) + 1, views=views
    )
    monkeypatch.setattr("relax.encoders.load_encoder", lambda name, **options: encoder)
    options = []
    for number, name in enumerate(names):
        np.save(tmp_path / f"{number}.npy", np.random.default_rng(number).random(8, dtype=np.float32))
        options += ["--view", f"{name}={tmp_path / f'{number}.npy'}"]
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["explain", *options, "--masks", "64", "--out", str(out), "--quiet", "--json"])
    assert done.exit_code == 0, done.output
    assert sorted(json.loads(done.stdout.splitlines()[-1])["shares"]) == names
    assert {path.name for path in out.glob("*.npz")} == {f"0-{name.replace('/', '-')}.npz" for name in names}
