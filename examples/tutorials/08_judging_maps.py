"""
Judging maps
============

A map that looks right may still say little about the representation. Remove what it calls important and watch the
similarity; compare with controls that never saw the encoder; ask what another run of the masks would say.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

import relax

folder = Path(tempfile.mkdtemp())
for name in ("chelsea", "astronaut", "coffee", "rocket"):
    Image.fromarray(getattr(data, name)()).resize((96, 96)).save(folder / f"{name}.png")

# %%
# Faithfulness
# ------------
#
# ``relevance-gain`` keeps and removes regions in the order of the map, under four fills; 0 is a random order. ``edges``
# and ``center`` never see the encoder: a method that does not beat them has shown nothing.

result = relax.evaluate(
    f"folder:{folder}",
    ["fashion:simclr"],
    ["relax", "relax-regression", "smoothgrad", "edges", "center", "random"],
    ["relevance-gain"],
    n=4,
    budget=256,
    out=folder / "run",
)
gain = result.summary[result.summary["metric"] == "relevance-gain"]
print(gain[["method", "mean", "low", "high", "n"]].round(3).to_string(index=False))

# %%
# Few pictures give wide intervals; a picture on which a metric is not defined does not count. The page
# `How good are the explanations? <../quality.html>`_ has more, and says what was not reached.
#
# Is it the masks' noise?
# -----------------------
#
# The reliability estimates the correlation with the converged map. Two seeds show what it means.

encoder = relax.load_encoder("fashion:simclr")
for n_masks in (256, 1024):
    first, second = (relax.explain(encoder, data.coffee(), method="relax", n_masks=n_masks, seed=s) for s in (0, 1))
    agreement = np.corrcoef(first.importance.ravel(), second.importance.ravel())[0, 1]
    print(f"{n_masks} masks: reliability {first.reliability:.3f}, correlation of two runs {agreement:.3f}")

# %%
# Is it the masks' geometry?
# --------------------------
#
# The map of an untrained network shows what is there without any learning.

trained = relax.explain(encoder, data.coffee(), method="relax", n_masks=512)
untrained = relax.explain("fashion:untrained", data.coffee(), method="relax", n_masks=512)
figure_of_trained, figure_of_untrained = trained.plot(), untrained.plot()
