"""Runs: tidy, fair, and never lost."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import relax
from relax.evaluation import evaluate, write_report

METHODS = ("relax", "saliency", "random")
METRICS = ("insertion-deletion:mean", "relevance-rank", "auc", "sparseness")


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "data"
    (home / "images").mkdir(parents=True)
    (home / "masks").mkdir()
    rng = np.random.default_rng(0)
    for k in range(5):
        pixels = rng.integers(0, 80, (28, 28, 3), dtype=np.uint8)
        mask = np.zeros((28, 28), dtype=np.uint8)
        top, left = rng.integers(0, 14, 2)
        mask[top : top + 12, left : left + 12] = 255
        pixels[mask > 0] += 150
        Image.fromarray(pixels).save(home / "images" / f"{k}.png")
        Image.fromarray(mask).save(home / "masks" / f"{k}.png")
    return home


@pytest.fixture
def encoder(tiny):
    return relax.Encoder(tiny, relax.ImageTransform(size=(28, 28)), name="tiny")


def run(folder, encoder, out, **options):
    arguments = {"methods": METHODS, "metrics": METRICS, "n": None, "budget": 256, "batch_size": 16, **options}
    return evaluate(f"folder:{folder}", [encoder], out=out, **arguments)


def compared(rows):
    return rows.drop(columns="seconds").sort_values(["input", "method", "metric"]).reset_index(drop=True)


def test_rows_are_tidy(folder, encoder, tmp_path):
    result = run(folder, encoder, tmp_path / "out")
    assert len(result.rows) == 5 * len(METHODS) * len(METRICS)
    assert not result.rows.duplicated(["input", "encoder", "method", "metric"]).any()
    cost = result.rows.groupby("method")[["forwards", "backwards"]].first()
    assert cost.loc["relax"].tolist() == [257, 0]
    assert cost.loc["saliency"].tolist() == [2, 1]
    files = write_report(result)
    again = pd.read_parquet(files["rows.parquet"])
    pd.testing.assert_frame_equal(again, result.rows)
    table = pd.read_csv(files["summary.csv"]).set_index(["metric", "method"])
    faithful = table.loc["insertion-deletion:mean"]
    assert faithful.loc["relax", "mean"] > 0.1
    assert faithful.loc["random", "low"] - 0.05 < 0 < faithful.loc["random", "high"] + 0.05
    assert faithful.loc["random", "rank"] > 1
    page = files["report.html"].read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page  # nothing is loaded from elsewhere


def test_interrupted_and_resumed_equals_uninterrupted(folder, encoder, tmp_path):
    whole = run(folder, encoder, tmp_path / "whole").rows

    def stop(done, total, what):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, encoder, tmp_path / "cut", on_job=stop)
    journal = tmp_path / "cut" / "journal.jsonl"
    assert len(journal.read_text().splitlines()) == 7
    with journal.open("a") as file:
        file.write('{"dataset": "fol')  # killed while it wrote
    before = journal.read_bytes()[: -len('{"dataset": "fol')]
    resumed = run(folder, encoder, tmp_path / "cut").rows
    pd.testing.assert_frame_equal(compared(resumed), compared(whole))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(lines) == 15
    assert len({(line["input"], line["method"]) for line in lines}) == 15
    assert journal.read_bytes().startswith(before)  # nothing was done twice


def test_a_run_can_grow_but_not_change(folder, encoder, tmp_path):
    out = tmp_path / "out"
    few = run(folder, encoder, out, n=2, methods=("relax",)).rows
    more = run(folder, encoder, out, n=4, methods=("relax", "random")).rows
    assert set(few["input"]) < set(more["input"])
    merged = few.merge(more, on=["input", "method", "metric"])
    assert (merged["value_x"] == merged["value_y"]).all()
    assert (merged["seconds_x"] == merged["seconds_y"]).all()  # kept, not done again
    with pytest.raises(relax.ArgumentError, match="holds a run with seed = 0, not 1"):
        run(folder, encoder, out, seed=1)
    with pytest.raises(relax.ArgumentError, match="holds a run with budget = 256, not 512"):
        run(folder, encoder, out, budget=512)


def test_options_are_parameters_and_arguments_and_come_before_the_budget(folder, encoder, tmp_path):
    options = {"relax": {"n_masks": 384}, "smoothgrad": {"n_samples": 5}, "occlusion": {"n_masks": 3}}
    with pytest.raises(relax.ArgumentError, match="method 'occlusion' does not take n_masks"):
        run(folder, encoder, tmp_path / "out", methods=tuple(options), n=1, options=options)
    del options["occlusion"]
    result = run(folder, encoder, tmp_path / "out", methods=("relax", "smoothgrad"), n=1, options=options)
    spent = {line["method"]: (line["forwards"], line["backwards"]) for line in result.lines}
    assert spent == {"relax": (385, 0), "smoothgrad": (6, 5)}


def test_objects_are_accepted_where_names_are(folder, encoder, tmp_path):
    from types import SimpleNamespace

    from relax.methods.gradients import SmoothGrad

    largest = SimpleNamespace(
        name="largest",
        summary="",
        better="higher",
        needs="map",
        source="",
        run=lambda subject: float(subject.explanation.importance.max()),
    )
    methods = (SmoothGrad(n_samples=3), SmoothGrad(n_samples=5))
    result = run(folder, encoder, tmp_path / "out", methods=methods, metrics=(largest,), n=1, budget=None)
    assert {line["method"]: line["backwards"] for line in result.lines} == {"smoothgrad": 3, "smoothgrad-2": 5}
    with pytest.raises(relax.ArgumentError, match="`n` to be an integer"):
        run(folder, encoder, tmp_path / "out", n="2")


def test_methods_are_added_to_a_run_with_their_options(folder, encoder, tmp_path):
    from relax.methods.gradients import SmoothGrad

    small = SmoothGrad(n_samples=4)
    run(folder, encoder, tmp_path / "out", methods=("relax",), n=1)
    added = run(folder, encoder, tmp_path / "out", methods=(small,), n=1)
    assert [line["method"] for line in added.lines] == ["relax", "smoothgrad"]
    again = run(folder, encoder, tmp_path / "out", methods=("relax", small), n=1)
    assert [line["seconds"] for line in again.lines] == [line["seconds"] for line in added.lines]
    with pytest.raises(relax.ArgumentError, match="holds a run with options of smoothgrad"):
        run(folder, encoder, tmp_path / "out", methods=(SmoothGrad(n_samples=5),), n=1)


def test_damaged_inputs_are_named_and_skipped(folder, encoder, tmp_path):
    (folder / "images" / "1.png").write_bytes(b"no picture")
    (folder / "masks" / "3.png").write_bytes(b"")
    result = run(folder, encoder, tmp_path / "out")
    assert sorted(result.skipped) == ["1.png", "3.png"]
    assert "1.png: not a picture" in result.skipped["1.png"]
    assert "3.png: the file is empty" in result.skipped["3.png"]
    assert set(result.rows["input"]) == {"0.png", "2.png", "4.png"}


def test_methods_that_an_encoder_cannot_serve_leave_a_note(folder, tiny, tmp_path):
    black_box = relax.Encoder(lambda x: tiny(x), relax.ImageTransform(size=(28, 28)), name="black box")
    result = run(folder, black_box, tmp_path / "out", methods=("relax", "lafam"), n=2)
    lafam = result.rows[result.rows["method"] == "lafam"]
    assert lafam["value"].isna().all()
    assert lafam["note"].str.len().min() > 20
    page = write_report(result)["report.html"].read_text()
    assert "lafam failed on 2 inputs" in page


def test_metrics_that_need_a_mask_say_so(folder, encoder, tmp_path):
    with pytest.raises(relax.InputError, match="has no mask, which relevance-rank, auc need"):
        evaluate(f"folder:{folder / 'images'}", [encoder], METHODS, METRICS, out=tmp_path / "out")
    free = evaluate(f"folder:{folder / 'images'}", [encoder], ("random",), ("sparseness",), out=tmp_path / "free")
    assert len(free.rows) == 5


def test_out_of_distribution(folder, encoder, tmp_path):
    from relax.evaluation import ood_table

    other = tmp_path / "other"
    other.mkdir()
    for k in range(4):
        Image.new("RGB", (28, 28), (10 * k, 20, 200)).save(other / f"{k}.png")
    result = run(
        folder, encoder, tmp_path / "out", methods=("relax",), metrics=("mean-uncertainty",), ood=f"folder:{other}"
    )
    table = ood_table(result.rows)
    inside, outside = (group["value"].to_numpy() for _, group in result.rows.groupby("dataset", sort=False))
    assert table.loc[0, "auroc"] == pytest.approx((outside[:, None] > inside).mean())
    assert "Out of distribution" in write_report(result)["report.html"].read_text()


def test_names_are_checked_before_work_is_done(folder, encoder, tmp_path):
    with pytest.raises(relax.UnknownNameError, match="metric"):
        run(folder, encoder, tmp_path / "out", metrics=("beauty",))
    with pytest.raises(relax.UnknownNameError, match="method"):
        run(folder, encoder, tmp_path / "out", methods=("magic",))
    assert not (tmp_path / "out").exists()


def test_maps_of_different_inputs_are_different_files(folder, encoder, tmp_path):
    """Names of encoders may hold anything, and two data sets the same inputs."""
    other = tmp_path / "other" / "images"
    other.mkdir(parents=True)
    for k in range(5):
        Image.fromarray(np.full((28, 28, 3), 40 * k, np.uint8)).save(other / f"{k}.png")
    out = tmp_path / "out"
    named = {"models/a b:c": encoder}
    result = evaluate(
        f"folder:{folder}", named, ["random"], ["complexity"], n=3, out=out, ood=f"folder:{tmp_path / 'other'}"
    )
    files = [line["file"] for line in result.lines if "file" in line]
    assert len(files) == len(set(files)) == 6
    for line in result.lines:
        kept = relax.Explanation.load(out / line["file"])
        assert kept.settings["method"] == "random"
    assert set(result.rows[result.rows["dataset"] == result.rows["dataset"].iloc[0]]["metric"]) >= {"complexity"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"options": {"relax": {"n_maskss": 3}}}, "no option 'n_maskss'"),
        ({"options": {"relx": {}}}, "unknown method 'relx'"),
        ({"options": {"lafam": {}}}, "not among the methods"),
        ({"nmasks": 3}, "no argument 'nmasks'"),
        ({"fill": "nope"}, "unknown fill"),
        ({"masks": "nope"}, "unknown kind of masks"),
        ({"budget": 0}, "positive number of forwards"),
        ({"ood": "SAME"}, "another data set"),
    ],
)
def test_what_cannot_be_is_said_before_work_and_leaves_nothing(folder, encoder, tmp_path, arguments, words):
    if "ood" in arguments:
        arguments = {"ood": f"folder:{folder}"}
    with pytest.raises(relax.ArgumentError, match=words):
        run(folder, encoder, tmp_path / "out", **{"budget": None, **arguments})
    assert not (tmp_path / "out").exists()


def test_a_start_that_fails_does_not_bind_its_folder(folder, encoder, tmp_path):
    for mask in (folder / "masks").iterdir():
        mask.unlink()
    with pytest.raises(relax.InputError, match="has no mask"):
        run(folder, encoder, tmp_path / "out")
    result = run(folder, encoder, tmp_path / "out", metrics=["complexity"], methods=["random"])
    assert len(result.rows) == 5


def test_rows_of_an_encoder_that_has_changed_are_done_again(folder, encoder, tmp_path):
    first = run(folder, encoder, tmp_path / "out", methods=["relax"])
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    again = run(folder, encoder, tmp_path / "out", methods=["relax"])
    fresh = run(folder, encoder, tmp_path / "fresh", methods=["relax"])
    pd.testing.assert_frame_equal(compared(again.rows), compared(fresh.rows), atol=1e-4)
    assert not np.allclose(compared(first.rows)["value"], compared(again.rows)["value"])


def test_two_processes_do_not_share_a_run(folder, encoder, tmp_path):
    filelock = pytest.importorskip("filelock")
    (tmp_path / "out").mkdir()
    with filelock.FileLock(tmp_path / "out" / ".lock"), pytest.raises(relax.ArgumentError, match="another process"):
        run(folder, encoder, tmp_path / "out")
