"""Tokenizers: from a text to the inputs of its encoder, with the span of each token."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from relax.errors import ArgumentError, InputError
from relax.modalities.text.windows import Window

LONG = ("cut", "windows")
"""What happens to texts that are longer than their encoder takes."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens of one text.

    Attributes:
        ids: ``(T,)`` int64.
        spans: ``(T, 2)`` int64 positions in the text; ``(0, 0)`` for special tokens.
        fixed: ``(T,)`` bool, special tokens and those of the prompt.
        types: ``(T,)`` int64 token types.
        n_cut: number of tokens cut off at the end, because the encoder does not take that many.
    """

    ids: np.ndarray
    spans: np.ndarray
    fixed: np.ndarray
    types: np.ndarray
    n_cut: int = 0


class TextTokenizer:
    """A fast tokenizer of transformers, or one of ``tokenizers``, with what masking needs.

    Args:
        tokenizer: ``transformers.PreTrainedTokenizerFast`` or ``tokenizers.Tokenizer``.
        max_length: largest number of tokens, special ones included; ``None`` for the tokenizer's own limit.
        prompt: text in front of every text, such as ``"query: "``; never removed.
        long: what happens to a text of more tokens than ``max_length``: ``"cut"`` encodes its beginning, ``"windows"``
            all of it, in windows whose representations are averaged, weighted by their numbers of tokens.

    Raises:
        ArgumentError: the tokenizer does not say where its tokens are in the text, or ``long`` is unknown.
    """

    def __init__(self, tokenizer: Any, *, max_length: int | None = None, prompt: str = "", long: str = "cut") -> None:
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(backend, "encode") or not hasattr(backend, "token_to_id"):
            raise ArgumentError(
                f"expected a fast tokenizer, got {type(tokenizer).__name__}, which does not say where its tokens are; "
                "use its fast version, or pass a callable from strings to representations"
            )
        self._backend = type(backend).from_str(backend.to_str())  # a copy without padding and truncation
        self._backend.no_padding()
        self._backend.no_truncation()
        own_limit = getattr(tokenizer, "model_max_length", None)
        self.max_length = max_length or (own_limit if own_limit is not None and own_limit < 1_000_000 else None)
        self.prompt = prompt
        self.names = tuple(getattr(tokenizer, "model_input_names", ("input_ids", "attention_mask")))
        self.left = getattr(tokenizer, "padding_side", "right") == "left"
        own = hasattr(tokenizer, "mask_token")  # a tokenizer that says that it has none has none
        self.mask_id = self._id(tokenizer.mask_token) if own else self._id("[MASK]", "<mask>")
        added = self._backend.get_added_tokens_decoder()
        self._special = {token.content for token in added.values() if token.special}
        pad = self._id(getattr(tokenizer, "pad_token", None), "[PAD]", "<pad>")
        self.pad_id = 0 if pad is None else pad
        if long not in LONG:
            raise ArgumentError(f"expected `long` to be one of {', '.join(LONG)}, got {long!r}")
        self.long = long

    def __call__(self, text: str) -> Tokens:
        """Tokenize one text.

        Raises:
            InputError: the text has no tokens.
        """
        encoded = self._backend.encode(self.prompt + text)
        spans = np.array(encoded.offsets, dtype=np.int64).reshape(-1, 2)
        special = np.array(encoded.special_tokens_mask, dtype=bool)
        ids, types = (np.array(values, dtype=np.int64) for values in (encoded.ids, encoded.type_ids))
        fixed = special | (spans[:, 0] < len(self.prompt)) & (len(self.prompt) > 0)
        fixed |= [content in self._special and content == token for content, token in self._pieces(text, encoded)]
        n_cut = 0 if self.window else max(len(ids) - (self.max_length or len(ids)), 0)
        if n_cut:
            kept = np.ones(len(ids), dtype=bool)
            kept[np.flatnonzero(~special)[-n_cut:]] = False  # special tokens at the end stay
            ids, types, spans, fixed = ids[kept], types[kept], spans[kept], fixed[kept]
        if fixed.all():
            raise InputError(f"{text[:40]!r}: expected a text, got one of special tokens or without tokens")
        spans = np.where(fixed[:, None], 0, spans - len(self.prompt))
        return Tokens(ids, spans, fixed, types, n_cut)

    @cached_property
    def window(self) -> Window | None:
        """What the encoder takes at a time; ``None`` if long texts are cut, or the tokenizer knows no limit.

        Raises:
            ArgumentError: the prompt leaves no room.
        """
        if self.long == "cut" or self.max_length is None:
            return None
        encoded = self._backend.encode(self.prompt + " a")
        special = np.array(encoded.special_tokens_mask, dtype=bool)
        own = np.flatnonzero(~special & (np.array(encoded.offsets)[:, 0] >= len(self.prompt)))
        before, after = int(own[0]), len(special) - 1 - int(own[-1])
        if before + after >= self.max_length:
            raise ArgumentError(f"the prompt has {before} tokens, but the encoder takes {self.max_length}; shorten it")
        return Window(self.max_length, before, after, self.pad_id, self.left)

    def in_windows(self) -> TextTokenizer:
        """The same tokenizer for an encoder that reads long texts in windows."""
        clone = copy.copy(self)
        clone.long = "windows"
        vars(clone).pop("window", None)  # computed anew
        return clone

    def _pieces(self, text: str, encoded: Any) -> list[tuple[str, str]]:
        """What each token stands for in the text, and the token: the same for a special token that was typed."""
        whole = self.prompt + text
        return [(whole[slice(*offsets)], token) for offsets, token in zip(encoded.offsets, encoded.tokens, strict=True)]

    def settings(self) -> dict[str, Any]:
        """JSON-serialisable description."""
        settings = {
            "tokenizer": type(self._backend.model).__name__,
            "max_length": self.max_length,
            "prompt": self.prompt,
        }
        return settings if self.long == "cut" else {**settings, "long": self.long}

    def _id(self, *tokens: Any) -> int | None:
        """Id of the first token that the vocabulary has."""
        ids = (self._backend.token_to_id(str(token)) for token in tokens if token is not None)
        return next((number for number in ids if number is not None), None)
