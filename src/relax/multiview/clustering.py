"""SiMVC and CoMVC: deep clustering of objects that have several views (Trosten et al., CVPR 2021)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as to_bytes
from torch import Tensor
from tqdm.auto import tqdm

from relax._support.atomic import atomic_write
from relax._support.extras import require
from relax._support.seeding import seeded
from relax.encoders import Encoder, Key
from relax.encoders.zoo.weights import load_weights
from relax.errors import ArgumentError, InputError
from relax.multiview.losses import clustering_loss, contrastive_loss
from relax.multiview.networks import MultiViewNetwork

_base: Any = require("sklearn.base", extra="methods")
_validation: Any = require("sklearn.utils.validation", extra="methods")

SCHEMA = 1
ABOUT, WEIGHTS = "about.json", "weights.safetensors"
OUTPUTS = ("fused", "assignment")
ROWS = 1024
"""Objects that are encoded at a time."""


class CoMVC(_base.ClusterMixin, _base.TransformerMixin, _base.BaseEstimator):  # type: ignore[misc]
    """Contrastive multi-view clustering, in scikit-learn's manner.

    An encoder for each view, a weighted fusion of their representations, and a soft assignment to clusters, trained
    by the losses of deep divergence-based clustering; with ``contrastive=True`` (CoMVC) the views of an object are
    also drawn together, away from objects of other clusters. ``contrastive=False`` is SiMVC; one view is DDC.

    Args:
        n_clusters: clusters.
        contrastive: align the views selectively.
        dimensions: of the fused representation.
        hidden: units of the layer that the clustering losses look at.
        epochs: passes over the objects.
        batch_size: objects in a step.
        learning_rate: of Adam.
        n_init: trainings from different beginnings; the one with the lowest clustering loss is kept.
        delta: weight of the contrastive loss; it is multiplied by the smallest fusion weight, as in the paper.
        temperature: of the contrastive loss.
        random_state: seed; ``None`` for a random one.
        verbose: show a progress bar on stderr.

    Attributes:
        labels_: ``(N,)`` cluster of each object.
        cluster_centers_: ``(K, D)`` means of the fused representations of each cluster, so that
            ``relax.Cluster(comvc, label)`` is a reference for :meth:`encoder`.
        view_weights_: by view, the weights of the fusion.
        loss_: the clustering loss of the training that was kept.
    """

    def __init__(
        self,
        n_clusters: int = 10,
        contrastive: bool = True,
        *,
        dimensions: int = 128,
        hidden: int = 100,
        epochs: int = 50,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        n_init: int = 3,
        delta: float = 0.1,
        temperature: float = 0.1,
        random_state: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.contrastive = contrastive
        self.dimensions = dimensions
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.n_init = n_init
        self.delta = delta
        self.temperature = temperature
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, views: Any, y: Any = None) -> CoMVC:
        """Train on views: a mapping, list or tuple of ``(N, D)`` or ``(N, C, H, W)`` arrays; one array is one view.

        Keys of a mapping are strings. Integers from 0 to 255 (uint8) are pictures and are divided by 255, as
        :func:`relax.explain` does.
        """
        tensors = _tensors(views)
        n = len(next(iter(tensors.values())))
        self._check(n)
        self.keys_ = tuple(tensors)
        self.shapes_ = [tuple(view.shape[1:]) for view in tensors.values()]
        seed = int(np.random.default_rng(self.random_state).integers(2**31))
        best = math.inf
        steps = self.n_init * self.epochs
        with tqdm(total=steps, disable=not self.verbose, unit=" epochs", dynamic_ncols=True) as bar:
            for number in range(self.n_init):
                with seeded(seed + number, torch.device("cpu")):
                    network, loss = self._train(list(tensors.values()), bar)
                if loss < best or number == 0:
                    best, self.network_ = loss, network
        if not math.isfinite(best):
            raise ArgumentError(
                f"the training's loss became {best}; try a smaller learning_rate or delta, or a larger temperature"
            )
        self.loss_ = best
        fused, assignments = self._apply(tensors)
        self.labels_ = assignments.argmax(1).numpy()
        self.cluster_centers_ = np.stack(
            [
                fused[self.labels_ == k].mean(0).numpy() if (self.labels_ == k).any() else fused.mean(0).numpy()
                for k in range(self.n_clusters)
            ]
        )
        return self

    def predict(self, views: Any) -> np.ndarray:
        """``(N,)`` cluster of each object."""
        return np.asarray(self.predict_proba(views).argmax(1))

    def predict_proba(self, views: Any) -> np.ndarray:
        """``(N, K)`` soft assignments."""
        return self._apply(self._known(views))[1].numpy()

    def transform(self, views: Any) -> np.ndarray:
        """``(N, D)`` fused representations."""
        return self._apply(self._known(views))[0].numpy()

    @property
    def view_weights_(self) -> dict[Key, float]:
        """Weights of the fusion, by view."""
        weights = self.network_.fusion.weights.detach().tolist()
        return dict(zip(self.keys_, weights, strict=True))

    def encoder(self, output: str = "fused") -> Encoder:
        """An encoder of several views for :func:`relax.explain`.

        Args:
            output: ``"fused"`` for the representation, ``"assignment"`` for the soft assignments, of which
                ``relax.Dimension(k)`` is the one to cluster k.
        """
        _validation.check_is_fitted(self, "network_")
        if output not in OUTPUTS:
            raise ArgumentError(f"expected `output` to be one of {', '.join(OUTPUTS)}, got {output!r}")
        named = all(isinstance(key, str) for key in self.keys_)
        model = _AsEncoder(self.network_, self.keys_, self.shapes_, OUTPUTS.index(output))
        views: Any = self.keys_ if named else len(self.keys_)
        shapes = dict(zip(self.keys_, self.shapes_, strict=True))
        transforms = {key: PictureView(shape) for key, shape in shapes.items() if len(shape) == 3}
        name = f"{'CoMVC' if self.contrastive else 'SiMVC'} ({output})"
        return Encoder(model, transforms, name=name, views=views)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``weights.safetensors`` and ``about.json`` into a folder."""
        _validation.check_is_fitted(self, "network_")
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        about = {
            "schema": SCHEMA,
            "parameters": {name: _plain(name, value) for name, value in self.get_params().items()},
            "keys": list(self.keys_),
            "shapes": self.shapes_,
            "labels": self.labels_.tolist(),
            "centers": self.cluster_centers_.tolist(),
            "loss": self.loss_,
        }
        with atomic_write(target / WEIGHTS) as file:
            file.write(to_bytes(self.network_.state_dict()))
        with atomic_write(target / ABOUT) as file:
            file.write(json.dumps(about).encode())

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> CoMVC:
        """Read what :meth:`save` wrote."""
        path = Path(folder) / ABOUT
        try:
            about = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a saved clustering: {error}") from error
        if about.get("schema") != SCHEMA:
            raise InputError(f"{path}: has schema {about.get('schema')}, this version of relax reads {SCHEMA}")
        made = cls(**about["parameters"])
        made.keys_ = tuple(about["keys"])
        made.shapes_ = [tuple(shape) for shape in about["shapes"]]
        made.labels_ = np.array(about["labels"])
        made.cluster_centers_ = np.array(about["centers"], dtype=np.float32)
        made.loss_ = about["loss"]
        made.network_ = MultiViewNetwork(made.shapes_, made.n_clusters, made.dimensions, made.hidden)
        load_weights(made.network_, Path(folder) / WEIGHTS)
        made.network_.eval()
        return made

    def _train(self, views: list[Tensor], bar: Any) -> tuple[MultiViewNetwork, float]:
        """One training; the mean clustering loss of its last epoch."""
        n = len(views[0])
        network = MultiViewNetwork([tuple(v.shape[1:]) for v in views], self.n_clusters, self.dimensions, self.hidden)
        network.fit_scales(views)
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        size = min(self.batch_size, n)
        losses: list[float] = []
        for _ in range(self.epochs):
            losses = []
            order = torch.randperm(n)
            for start in range(0, n - size + 1, size):
                rows = order[start : start + size]
                _, hidden, assignments, encoded = network([view[rows] for view in views])
                clustering = clustering_loss(assignments, hidden)
                loss = clustering
                if self.contrastive and len(views) > 1:
                    aligned = contrastive_loss(encoded, assignments, self.temperature)
                    loss = loss + self.delta * network.fusion.weights.min() * aligned
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
                optimizer.step()
                losses.append(float(clustering.detach()))
            bar.update()
            bar.set_postfix_str(f"clustering loss {np.mean(losses):.4f}", refresh=False)
        return network.eval(), float(np.mean(losses))

    def _apply(self, tensors: dict[Key, Tensor]) -> tuple[Tensor, Tensor]:
        views = list(tensors.values())
        parts = []
        with torch.no_grad():
            for start in range(0, len(views[0]), ROWS):
                fused, _, assignments, _ = self.network_([view[start : start + ROWS] for view in views])
                parts.append((fused, assignments))
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def _known(self, views: Any) -> dict[Key, Tensor]:
        _validation.check_is_fitted(self, "network_")
        tensors = _tensors(views)
        if set(tensors) != set(self.keys_):
            raise InputError(
                f"expected the views {', '.join(map(str, self.keys_))}, got {', '.join(map(str, tensors))}"
            )
        tensors = {key: tensors[key] for key in self.keys_}
        for (key, view), shape in zip(tensors.items(), self.shapes_, strict=True):
            if tuple(view.shape[1:]) != shape:
                raise InputError(f"view {key!r}: expected objects of shape {shape}, got {tuple(view.shape[1:])}")
        return tensors

    def _check(self, n: int) -> None:
        for name in ("n_clusters", "dimensions", "hidden", "epochs", "batch_size", "n_init"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ArgumentError(f"expected `{name}` to be a positive integer, got {value!r}")
        for name, least in (("learning_rate", 0.0), ("temperature", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > least:
                raise ArgumentError(f"expected `{name}` to be a positive number, got {value!r}")
        if isinstance(self.delta, bool) or not isinstance(self.delta, (int, float)) or not self.delta >= 0:
            raise ArgumentError(f"expected `delta` to be a number of at least 0, got {self.delta!r}")
        if not isinstance(self.contrastive, (bool, np.bool_)):
            raise ArgumentError(f"expected `contrastive` to be True or False, got {self.contrastive!r}")
        if self.batch_size < 2:
            raise ArgumentError("expected `batch_size` of at least 2: batch norm and the losses compare objects, got 1")
        seed = self.random_state
        if isinstance(seed, (int, np.integer)) and seed < 0:
            raise ArgumentError(f"expected `random_state` to be a non-negative integer or None, got {seed!r}")
        if self.n_clusters < 2:
            raise ArgumentError(f"expected at least two clusters, got n_clusters={self.n_clusters}")
        if self.n_clusters > n:
            raise ArgumentError(f"expected at most as many clusters as objects, got {self.n_clusters} for {n}")


@dataclass(frozen=True)
class PictureView:
    """From a picture to a view of the shape that the network was trained on, values in [0, 1].

    Args:
        shape: ``(C, H, W)``; one channel is grey.
    """

    shape: tuple[int, ...]

    def __call__(self, picture: Image.Image) -> Tensor:
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise InputError(f"a view of {channels} channels is no picture; give a (C, H, W) tensor")
        small = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small, dtype=np.float32) / 255)
        return pixels[None] if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def load_comvc(folder: str, **options: Any) -> Encoder:
    """``comvc:FOLDER``: the encoder of a saved clustering."""
    return CoMVC.load(folder).encoder(**options)


class _AsEncoder(torch.nn.Module):
    """From views by key to one of the network's outputs."""

    def __init__(
        self, network: MultiViewNetwork, keys: tuple[Key, ...], shapes: list[tuple[int, ...]], output: int
    ) -> None:
        super().__init__()
        self.network = network
        self.keys = keys
        self.shapes = shapes
        self.output = output

    def forward(self, views: Any) -> Tensor:
        for key, shape in zip(self.keys, self.shapes, strict=True):
            if tuple(views[key].shape[1:]) != shape:
                raise InputError(f"view {key!r}: expected shape {shape}, got {tuple(views[key].shape[1:])}")
        fused, _, assignments, _ = self.network([views[key] for key in self.keys])
        outputs: tuple[Tensor, Tensor] = (fused, assignments)
        return outputs[self.output]


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON holds it."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(f"expected `{name}` to be a number, to be written into a file, got {value!r}")


def _tensors(views: Any) -> dict[Key, Tensor]:
    """Views by key, float32, of one length, finite."""
    if isinstance(views, Mapping):
        items = dict(views.items())
        if strange := [key for key in items if not isinstance(key, str) and key not in range(len(items))]:
            raise InputError(f"expected strings as the views' names, got {strange[0]!r}")
    elif isinstance(views, Sequence) and not isinstance(views, str):
        items = dict(enumerate(views))
    else:
        items = {0: views}
    if not items:
        raise InputError("expected at least one view, got none")
    tensors: dict[Key, Tensor] = {}
    for key, view in items.items():
        try:
            array = np.asarray(view.detach().cpu() if isinstance(view, Tensor) else view)
            tensor = torch.as_tensor(array, dtype=torch.float32)
            if array.dtype == np.uint8 and tensor.ndim == 4:
                tensor = tensor / 255
        except (TypeError, ValueError) as error:
            raise InputError(f"view {key!r}: expected an array of numbers, got {type(view).__name__}") from error
        if tensor.ndim not in (2, 4) or 0 in tensor.shape:
            got = tuple(tensor.shape)
            raise InputError(f"view {key!r}: expected shape (N, D), or (N, C, H, W) for pictures, got {got}")
        if not torch.isfinite(tensor).all():
            raise InputError(f"view {key!r}: has NaN or infinite values")
        tensors[key] = tensor
    lengths = {key: len(tensor) for key, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key}: {n}" for key, n in lengths.items())
        raise InputError(f"expected views of the same objects, got different numbers of them ({counts})")
    return tensors
