"""Tiny encoders and inputs that every test file shares."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

import relax
from relax._support.registry import HOMES, registry_of
from relax.datasets.cache import FASHION_MNIST, STAMPS, Package, find
from relax.estimation.designs import DESIGNS
from relax.estimation.stopping import FixedNumber
from relax.methods import Problem
from relax.references import Vectors
from relax.references.similarity import SIMILARITIES


class TinyEncoder(nn.Module):
    """Two convolutions with batch norm: small enough for thousands of masks, nonlinear enough to matter."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU()
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).mean((2, 3))


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identities hold in float32: on every processor, also on those for which "auto" would try bfloat16."""
    monkeypatch.setattr("relax.encoders.session.fast_precision", lambda device: "float32")


@pytest.fixture(autouse=True)
def _registries_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    for kind in HOMES:
        table = registry_of(kind)
        list(table)  # entry points are looked up first
        monkeypatch.setattr(table, "_entries", dict(table._entries))
        monkeypatch.setattr(table, "_things", dict(table._things))


@pytest.fixture
def tiny() -> TinyEncoder:
    return TinyEncoder().eval()


@pytest.fixture
def image() -> Tensor:
    """A model-ready input with one salient corner."""
    generator = torch.Generator().manual_seed(1)
    image = 0.3 * torch.rand(3, 28, 28, generator=generator)
    image[:, 4:14, 6:16] += 2.0
    return image


@pytest.fixture(scope="session")
def lite0() -> relax.Encoder:
    """The encoder that comes with the package: really trained."""
    return relax.load_encoder("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="session")
def stamps_data() -> None:
    """Skips, loudly, where the stamps were not fetched."""
    _needs(STAMPS)


@pytest.fixture(scope="session")
def fashion_data() -> None:
    """Skips, loudly, where Fashion-MNIST was not fetched."""
    _needs(FASHION_MNIST)


def _needs(package: Package) -> None:
    try:
        find(package)
    except relax.InputError as error:
        warnings.warn(f"tests are skipped: {error}", stacklevel=1)
        pytest.skip(str(error))


@contextmanager
def problem_of(model, image: Tensor, n_masks: int, *, fills=("mean",), masks=None, design=None, seed: int = 0):
    """An input as methods are given it, with the cosine similarity to itself."""
    encoder = relax.Encoder(model)
    with encoder.session(precision="float32") as session:
        reference = Vectors(session.encode(image[None].clone()), SIMILARITIES["cosine"])
        yield Problem(
            encoder=encoder,
            session=session,
            prepared=encoder.prepare(image),
            reference=reference,
            design=design or DESIGNS["foldover"],
            stopping=FixedNumber(n_masks),
            seed=seed,
            masks=masks,
            fills=tuple(relax.fills.ensure(fill) for fill in fills),
        )
