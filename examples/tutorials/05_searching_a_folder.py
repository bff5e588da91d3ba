"""
Searching a folder
==================

Embed a folder once, ask for neighbours, and have them explained. An index that is killed while it grows goes on where
it was; files that have changed are embedded again.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

import relax

folder = Path(tempfile.mkdtemp())
(folder / "photos").mkdir()
rng = np.random.default_rng(0)
for name in ("chelsea", "astronaut", "coffee", "rocket"):
    picture = Image.fromarray(getattr(data, name)())
    width, height = picture.size
    for number in range(3):  # three crops of each
        left, top = rng.integers(0, width // 4), rng.integers(0, height // 4)
        crop = picture.crop((left, top, left + 3 * width // 4, top + 3 * height // 4))
        crop.save(folder / "photos" / f"{name}-{number}.png")

# %%
# Make the index
# --------------
#
# On the command line: ``relax index photos/ --out index``.

encoder = relax.load_encoder("fashion:simclr")
index = relax.Index.create(folder / "index", encoder)
index.add(encoder, folder / "photos")

# %%
# Ask it
# ------
#
# On the command line: ``relax match query.png index -k 3 --explain``.

query = folder / "query.png"
Image.fromarray(data.chelsea()[:, ::-1]).save(query)
neighbours = index.neighbours(encoder, query, k=3)
for neighbour in neighbours:
    print(f"{neighbour.similarity:.4f}  {Path(neighbour.path).name}")

# %%
# And why?
# --------

match = relax.match(encoder, query, neighbours[0].path, n_masks=256)
figure = match.plot()

# %%
# Near-duplicates
# ---------------
#
# ``relax duplicates index --threshold 0.99``, or:

for first, second, similarity in index.duplicates(0.99)[:3]:
    print(f"{similarity:.4f}  {Path(first).name}  {Path(second).name}")
