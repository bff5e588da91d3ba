"""
A supervised and a self-supervised encoder
==========================================

Two small networks come with the package. They have the same architecture and saw the same scenes for the same number of
steps; one was trained with labels, the other by SimCLR. What do their representations of one picture rest on?
"""

from skimage.data import astronaut

import relax

names = ["fashion:supervised", "fashion:simclr", "fashion:untrained"]
comparison = relax.compare(names, astronaut(), ["relax", "smoothgrad"], n_masks=512)
figure = comparison.plot()

# %%
# Encoders are rows, methods are columns. One colour scale serves each method, so that maps can be compared. Untrained
# weights are a control: whatever the others share with them is not learnt.
#
# How far do the maps agree?
# --------------------------

for row in comparison.agreement():
    if row["method"] == row["other method"] == "relax":
        print(f"{row['encoder']:>20} ~ {row['other encoder']:<20} Spearman {row['spearman']:+.2f}")

# %%
# One picture is an anecdote
# --------------------------
#
# Repeat it over many, and look at the spread. :func:`relax.evaluate` does so with intervals, and the page
# `What encoders look at <../study.html>`_ reports what came of it.
#
# The standard error says which differences are noise of the masks:

supervised = comparison.explanations["fashion:supervised", "relax"]
simclr = comparison.explanations["fashion:simclr", "relax"]
difference = supervised.effect - simclr.effect
error = (supervised.standard_error**2 + simclr.standard_error**2) ** 0.5
print(f"{(abs(difference) > 2 * error).mean():.0%} of the pixels differ by more than two standard errors")
