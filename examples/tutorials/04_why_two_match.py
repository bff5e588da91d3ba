"""
Why do these two match?
=======================

A search returns a neighbour. Which part of each of the two makes them similar, and which region of one answers which
region of the other?
"""

import numpy as np
from PIL import Image
from skimage.data import astronaut, chelsea

import relax

encoder = relax.load_encoder("fashion:simclr")

# %%
# A picture, and a scene that contains it
# ---------------------------------------

cat = Image.fromarray(chelsea()).resize((300, 200))
scene = Image.fromarray(astronaut()).resize((400, 400))
scene.paste(cat.resize((180, 120)), (10, 270))
cat, scene = np.asarray(cat), np.asarray(scene)

match = relax.match(encoder, scene, cat, regions=True, n_masks=256)
figure = match.plot()
print(f"similarity {match.similarity:.3f}")

# %%
# Red parts raise the similarity when they are shown, blue parts lower it. Each side is masked while the other is whole;
# regions are compared from the same forwards.
#
# ``effect`` is the importance minus its neutral value, the mean score of all masks:

effect = match.a.at_picture_size(match.a.effect)
inside, outside = effect[270:390, 10:190].mean(), np.delete(effect, slice(270, 390), axis=0).mean()
print(f"mean effect on the pasted cat {inside:+.4f}, in the rows above and below {outside:+.4f}")

# %%
# Rather like this than like that
# -------------------------------
#
# A corpus with a foil asks what makes a picture like these rather than those (COCOA).

corpus = relax.Corpus([cat], foil=[astronaut()])
contrast = relax.explain(encoder, scene, corpus, method="relax", n_masks=512)
figure_of_contrast = contrast.plot()
