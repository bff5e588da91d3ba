"""
Several views of one object
===========================

An object may have a picture and its edges, or a picture and a spectrum. Masks fall on all views at once; each view gets
its maps, and a share of the importance with its error.
"""

import torch
from sklearn.datasets import load_digits

import relax

digits = load_digits()
whole = torch.from_numpy(digits.images / 16).float()
views = {"top": whole[:, :4].flatten(1).numpy(), "bottom": whole[:, 4:].flatten(1).numpy()}

# %%
# Cluster the objects
# -------------------
#
# ``CoMVC`` (Trosten et al., CVPR 2021) in scikit-learn's manner. A few steps are enough to show the way; leave
# ``epochs`` out for real use.

clustering = relax.multiview.CoMVC(n_clusters=10, random_state=0, epochs=5, n_init=1).fit(views)
print(clustering.labels_[:12], digits.target[:12])

# %%
# Explain one of them
# -------------------

one = {name: view[0] for name, view in views.items()}
found = relax.explain(clustering.encoder(), one, n_masks=256)
print(found.shares)
print(found.shares.confidence_interval())

# %%
# Each view has its own maps. The pixels of the lower half:

lower = found["bottom"]
figure = lower.plot()
lower.importance.shape
