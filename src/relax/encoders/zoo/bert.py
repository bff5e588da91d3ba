"""BERT's encoder on PyTorch's transformer layers, which load in a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

EPSILON = 1e-12
"""Epsilon of BERT's layer norms."""


class Bert(nn.Module):
    """BERT without pooler (Devlin et al. 2019).

    Args:
        vocabulary: number of tokens.
        positions: maximum number of tokens in a text.
        width: width of the hidden states D.
        inner: width of the feed-forward layers.
        layers: number of layers.
        heads: number of attention heads.
    """

    def __init__(self, vocabulary: int, positions: int, width: int, inner: int, layers: int, heads: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.types = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        layer = nn.TransformerEncoderLayer(
            width, heads, inner, dropout=0.0, activation="gelu", layer_norm_eps=EPSILON, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """``(N, T)`` token ids and attention masks to the last hidden state, ``(N, T, D)``."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        embedded = self.norm(self.words(input_ids) + self.positions(places) + self.types(types))
        padding = None if attention_mask is None or bool(attention_mask.all()) else attention_mask == 0
        return {"last_hidden_state": self.encoder(embedded, src_key_padding_mask=padding)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], heads: int) -> Bert:
        """Load weights with transformers' names of parameters.

        Args:
            state: parameters of a ``BertModel`` by name; those of the pooler are not used.
            heads: number of attention heads.
        """
        words, positions = (state[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
        layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layer."))
        inner = state["encoder.layer.0.intermediate.dense.bias"].shape[0]
        model = cls(len(words), len(positions), words.shape[1], inner, layers, heads)
        translated = {
            "words.weight": words,
            "positions.weight": positions,
            "types.weight": state["embeddings.token_type_embeddings.weight"],
            **{f"norm.{kind}": state[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")},
        }
        for number in range(layers):
            translated |= _layer(state, f"encoder.layer.{number}.", f"encoder.layers.{number}.")
        model.load_state_dict(translated)
        return model.eval()


def _layer(state: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """Parameters of one layer under PyTorch's names."""
    pairs = {
        "self_attn.out_proj": "attention.output.dense",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm",
        "norm2": "output.LayerNorm",
    }
    found: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{old}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        found[f"{new}self_attn.in_proj_{kind}"] = torch.cat(parts)
        found |= {f"{new}{name}.{kind}": state[f"{old}{source}.{kind}"] for name, source in pairs.items()}
    return found
