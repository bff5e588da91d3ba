"""
Texts
=====

A sentence encoder turns a text into a vector. Which words is the vector made of? Up to ten words, all masks are tried,
and the answer is exact; longer texts are sampled.
"""

import relax

encoder = relax.load_encoder("text:minilm")
text = "The ferry to the island leaves at nine, but not on Sundays."
explanation = relax.explain(encoder, text)
explanation

# %%
# The numbers behind the colours:

order = explanation.effect.argsort()[::-1]
for unit in order[:4]:
    low, high = (bound[unit] for bound in explanation.confidence_interval())
    print(f"{explanation.labels[unit]:<8} {explanation.importance[unit]:.4f} [{low:.4f}, {high:.4f}]")

figure = explanation.plot()

# %%
# Against another text
# --------------------
#
# What in the first makes it similar to the second?

question = "When does the boat go?"
against = relax.explain(encoder, text, question)
against

# %%
# Which word answers which
# ------------------------

match = relax.match(encoder, question, text, regions=True)
match

# %%
# Ten words or fewer: exact
# -------------------------
#
# All 2^6 masks of this text were tried, so that there is no error of sampling.

exact = relax.explain(encoder, "not on Sundays, but on Mondays")
exact.n_masks, float(exact.standard_error.max()), exact.reliability

# %%
# On the command line: ``relax explain --text "..."`` and ``relax match "a question" "a text"``.
