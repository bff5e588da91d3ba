"""
A whole data set
================

One map says what an encoder sees in one input. A few dozen say what it looks at: explain a folder into a store,
interrupt the run and go on, read the store with pandas, and ask for a report.
"""

import tempfile
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from skimage import data

import relax
from relax.datasets import open_dataset


def pictures(n):
    """Category, picture and mask: cut-out photographs on other photographs, or without them plain crops."""
    try:
        scenes = open_dataset("stamps")  # fetched once by `relax data stamps`
    except relax.InputError:
        for number in range(n):
            name = ("chelsea", "astronaut", "coffee", "rocket")[number % 4]
            crop = Image.fromarray(getattr(data, name)()).crop((9 * number, 0, 9 * number + 200, 250))
            yield name, crop, None
        return
    for number in range(n):
        yield scenes[number].objects[0].category, scenes[number].picture, Image.fromarray(scenes[number].mask)


folder = Path(tempfile.mkdtemp())
for number, (category, picture, mask) in enumerate(pictures(24)):
    for kind, image in (("photos", picture), ("masks", mask)):
        if image is not None:
            path = folder / kind / category / f"{number:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)

# %%
# Explain all of it
# -----------------
#
# A run writes a *store*: a folder of Parquet files with a row for each input. Here it is interrupted after ten
# inputs, as by Ctrl-C. On the command line: ``relax run photos/ --out store --masks 64``.


def interrupt(progress):
    if progress.done == 10:
        raise KeyboardInterrupt


settings = {"encoder": "efficientnet-lite0", "n_masks": 64}
try:
    relax.run(folder / "photos", folder / "store", **settings, on_input=interrupt)
except KeyboardInterrupt:
    print(relax.Store(folder / "store").table().num_rows, "inputs are in the store")

# %%
# Called again with the same settings, it does the rest. A run that is killed without warning loses at most its last
# minute. Other settings are refused, so that a store never mixes two kinds of maps.

relax.run(folder / "photos", folder / "store", **settings)

# %%
# A file that cannot be read becomes a row with a reason, and does not stop the others. A picture that has changed is
# explained again.

first, second = sorted((folder / "photos").rglob("*.png"))[:2]
first.write_bytes(b"not a picture")
Image.open(second).rotate(180).save(second)
ran = relax.run(folder / "photos", folder / "store", **settings)
print(f"{ran.done} explained, {ran.failed} failed, {ran.known} known, {ran.changed} of them changed")

# %%
# Read the store
# --------------
#
# `File formats <../reference/files.html>`_ lists every column. Maps are kept on a grid of one value for each unit.

table = ran.store.table().to_pandas()
for row in table[table.reason.notna()].itertuples():
    print(f"{row.key}: {row.reason.rpartition(': ')[2]}")
table = table[table.reason.isna()].assign(category=lambda rows: rows.key.str.split("/").str[0])
table.groupby("category")[["reliability", "seconds"]].agg(["mean", "count"]).round(2)

# %%
# What does the encoder look at?
# ------------------------------
#
# ``relax.insight`` puts the maps together: where they lie, which inputs have similar maps, and whether one such group
# looks as if the encoder had found something that it should not use. ``masks=`` names a folder with the true foreground
# of each picture. On the command line: ``relax insight store --foreground masks/ --out report``.

report = relax.insight(ran, foreground=folder / "masks" if (folder / "masks").exists() else None)
report

# %%
# Every input has its own figures. Here, how much of its importance lies on the border, where an even spread would have
# the share at the dashed line, and how concentrated it is.

inputs = pd.DataFrame(report.inputs())
figure = Figure(figsize=(7, 2.6), layout="constrained")
axes = figure.subplots()
axes.scatter(inputs.border, inputs.concentration, color="0.3")
axes.axvline(report.summary.areas["border"], color="C3", linestyle="--", label="an even spread")
axes.set(xlabel="share of the importance on the border", ylabel="share of the importance\non a tenth of the units")
legend = axes.legend(frameon=False)

# %%
# The page ``insight.html`` has more: clusters of the representations, outliers, the least sure inputs. The tables
# beside it have every figure.

for name in report.write(folder / "report"):
    print(name)

# %%
# Look around
# -----------
#
# For a viewer of embeddings, write the store with a projection, neighbours and thumbnails with the map drawn in.
# On the command line: ``relax export store --to embedding-atlas``.

exported = relax.export(ran, folder / "store.parquet", projection="pca")
print(exported.n, "inputs, projected by", exported.projection)
print(exported.command.replace(f"{folder}/", ""))
