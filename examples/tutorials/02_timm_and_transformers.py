"""
timm and transformers
=====================

Models of both libraries load by name, with their own preprocessing. This site is built without a network, so the models
here have random weights: the code is the same, the maps mean nothing yet.
"""

import torch
from skimage.data import rocket

import relax

torch.manual_seed(0)  # random weights

# %%
# timm
# ----
#
# ``timm:NAME`` takes the model without its classifier. Leave out ``pretrained=False`` to load trained weights.

encoder = relax.load_encoder("timm:resnet18", pretrained=False)
explanation = relax.explain(encoder, rocket(), n_masks=32)
explanation

# %%
figure = explanation.plot()

# %%
# transformers
# ------------
#
# With a network, or with a folder that ``save_pretrained`` wrote, it is ``relax.load_encoder("hf:NAME-or-folder")``. A
# model that you have in memory is wrapped directly: its output is an object with several tensors, and ``pool="cls"``
# takes the class token, ``pool="mean"`` the mean of the patch tokens. The patch size lets masks follow the patches.

from transformers import ViTConfig, ViTModel

config = ViTConfig(
    hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, image_size=64, patch_size=8
)
model = ViTModel(config, add_pooling_layer=False)
vit = relax.Encoder(model, transform=relax.ImageTransform((64, 64)), pool="cls", patch=8, name="a tiny ViT")
explanation = relax.explain(vit, rocket(), masks="patches", n_masks=256)
figure_of_patches = explanation.plot()

# %%
# Dropping patches instead of filling them
# ----------------------------------------
#
# A vision transformer can simply not be given the patches that a mask removes. No colour has to stand in for them, and
# each forward is cheaper.

dropped = relax.explain(vit, rocket(), masks="patches", fill="drop", n_masks=256)
figure_of_dropped = dropped.plot()
dropped.settings["fill"]
