"""
Your own PyTorch module
=======================

Any ``nn.Module`` that maps a batch to representations can be explained. Here it is a small network that we build on the
spot; a Lightning module works the same way, because it is an ``nn.Module`` too.
"""

import tempfile
from pathlib import Path

import torch
from skimage.data import chelsea
from skimage.transform import resize
from torch import nn

import relax

torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
)

# %%
# A tensor is model-ready
# -----------------------
#
# A ``(C, H, W)`` tensor goes to the module as it is. The module's mode, device and gradients are left as found.

photograph = resize(chelsea(), (64, 64), anti_aliasing=True)
tensor = torch.from_numpy(photograph).permute(2, 0, 1).float()

explanation = relax.explain(module, tensor, n_masks=256)
explanation

# %%
# Three maps: ``importance``, ``uncertainty``, ``standard_error``. They are ``float32`` arrays of the input's size.

figure = explanation.plot()
explanation.importance.shape, explanation.n_masks, round(explanation.reliability, 3)

# %%
# Pictures, paths and arrays need a transform
# -------------------------------------------
#
# Give your preprocessing once, and everything else is read for you: paths, PIL images, and ``(H, W, C)`` arrays. A
# torchvision transform is one; ``relax.ImageTransform`` is another. Nothing is cropped away unless you ask for it.

encoder = relax.Encoder(module, transform=relax.ImageTransform((64, 64)), name="my encoder")
explanation = relax.explain(encoder, chelsea(), n_masks=256)
at_full_size = explanation.at_picture_size("importance")
at_full_size.shape

# %%
# A Lightning module
# ------------------
#
# Its ``forward`` is called in eval mode, without a trainer. If your module returns a tuple or a dictionary, ``pool=``
# names the part that is the representation.

try:
    from pytorch_lightning import LightningModule as Base
except ImportError:  # Lightning is optional
    Base = nn.Module


class Lit(Base):
    """An encoder with a projection head, as self-supervised training has it."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(32, 8)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return both spaces."""
        representation = self.backbone(x).flatten(1)
        return {"representation": representation, "projection": self.head(representation)}


lit = Lit(module)
for pool in ("representation", "projection"):
    space = relax.Encoder(lit, transform=relax.ImageTransform((64, 64)), pool=pool)
    print(pool, relax.explain(space, chelsea(), n_masks=128))

# %%
# Keep the result
# ---------------
#
# ``save`` writes the maps and everything that is needed to make them again; ``arguments`` gives it back.

file = Path(tempfile.mkdtemp()) / "cat.npz"
explanation.save(file)
again = relax.Explanation.load(file)
repeated = relax.explain(encoder, chelsea(), **again.arguments())
bool((repeated.importance == explanation.importance).all())
