"""References: closed forms on a linear encoder, and what each must be equal to."""

import numpy as np
import pytest
import torch
from torch import nn

import relax
from relax.references import Context, Itself, ensure
from relax.references.similarity import cosine

PATCH = 4


class Linear(nn.Module):
    """``f(x) = W x``, so that every effect on hard-edged units has a closed form."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3 * 12 * 12, generator=torch.Generator().manual_seed(0)))

    def forward(self, x):
        return x.flatten(1) @ self.weight.T


@pytest.fixture
def linear():
    return relax.Encoder(Linear())


@pytest.fixture
def inputs():
    return torch.rand(9, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def effect_of(encoder, x, vector):
    """½ ⟨W x_u, v⟩ at every pixel of unit u: what showing the unit adds to the mean score, by hand."""
    weight = encoder.model.weight.detach()
    per_pixel = ((vector @ weight).view(3, 12, 12) * x).sum(0)
    blocks = per_pixel.view(3, PATCH, 3, PATCH).sum((1, 3)) / 2
    return blocks.repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1).numpy()


def explain(encoder, x, against, **more):
    return relax.explain(
        encoder, x, against, method="relax", masks=relax.PatchMasks(PATCH), fill="zero", similarity="dot", n_masks=64,
        **more,
    )  # fmt: skip


def test_linear_encoder_closed_forms(linear, inputs):
    x, other = inputs[0], inputs[1]
    vectors = linear.encode(inputs)
    direction, origin = torch.randn(6, generator=torch.Generator().manual_seed(2)), vectors[3]
    cases = {
        "pair": (other, vectors[1]),
        "corpus": (relax.Corpus(inputs[1:4]), vectors[1:4].mean(0)),
        "contrast": (relax.Corpus(inputs[1:4], foil=inputs[4:]), vectors[1:4].mean(0) - vectors[4:].mean(0)),
        "point": (relax.Point(vectors[2]), vectors[2]),
        "direction": (relax.Direction(direction, origin), direction / direction.norm()),
        "dimension": (relax.Dimension(2), torch.eye(6)[2]),
    }
    for name, (against, vector) in cases.items():
        e = explain(linear, x, against)
        np.testing.assert_allclose(e.effect, effect_of(linear, x, vector), rtol=1e-3, atol=2e-3, err_msg=name)
        assert e.signed, name
    assert explain(linear, x, relax.Direction(direction, origin)).score == pytest.approx(
        float((vectors[0] - origin) @ direction / direction.norm()), rel=1e-4
    )


def test_against_itself_is_plain_relax(tiny, image):
    plain, same = (relax.explain(tiny, image, against, n_masks=512) for against in (None, image))
    np.testing.assert_allclose(same.importance, plain.importance, atol=1e-6)
    np.testing.assert_allclose(same.uncertainty, plain.uncertainty, atol=1e-6)
    assert same.signed
    assert not plain.signed


@pytest.mark.parametrize("similarity", ["cosine", "dot", "rbf", "euclidean"])
def test_a_corpus_is_the_mean_similarity_to_each(tiny, inputs, similarity):
    """By one mean vector where that is exact; here against the mean over explicit similarities."""
    encoder = relax.Encoder(tiny)
    inputs = inputs.repeat(1, 1, 2, 2)
    vectors = encoder.encode(inputs).double()
    with encoder.session() as session:
        context = Context(encoder, session, vectors[0].float(), similarity)
        reference = relax.Corpus(inputs[:4], foil=inputs[4:]).reference(context)
        scores = reference.score(vectors)
    measure = relax.similarity.ensure(similarity)
    each = torch.stack([measure(vectors, vector) for vector in vectors])
    torch.testing.assert_close(scores, each[:4].mean(0) - each[4:].mean(0), atol=1e-5, rtol=1e-5)


def test_corpora_that_must_be_equal(tiny, image, inputs):
    other = torch.nn.functional.interpolate(inputs[:1], (28, 28))[0]
    pair = relax.explain(tiny, image, other, n_masks=256)
    one = relax.explain(tiny, image, relax.Corpus([other]), n_masks=256)
    np.testing.assert_allclose(one.importance, pair.importance, atol=1e-6)
    nothing = relax.explain(
        tiny, image, relax.Corpus([other, image], foil=[image, other]), similarity="rbf", n_masks=256
    )
    assert np.abs(nothing.importance).max() < 1e-9


def test_a_corpus_is_encoded_once(image, inputs):
    seen = []

    def encoder(batch):
        seen.append(len(batch))
        return batch.mean((2, 3)) + 1

    encoder = relax.Encoder(encoder)
    corpus = relax.Corpus(inputs, foil=inputs[:3])
    first = relax.explain(encoder, inputs[0], corpus, masks=relax.PatchMasks(PATCH), n_masks=64, batch_size=8)
    second = relax.explain(encoder, inputs[1], corpus, masks=relax.PatchMasks(PATCH), n_masks=64, batch_size=8)
    assert first.settings["cost"]["forwards"] == first.n_masks + 1 + 9 + 3
    assert second.settings["cost"]["forwards"] == second.n_masks + 1


@pytest.mark.parametrize("method", ["occlusion", "kernel-shap", "integrated-gradients", "smoothgrad"])
def test_other_methods_take_references(tiny, image, method):
    pytest.importorskip("captum")
    options = {"window": 8, "stride": 8} if method == "occlusion" else {}
    e = relax.explain(tiny, image, relax.Dimension(3), method=method, **options)
    assert np.isfinite(e.importance).all()
    assert np.ptp(e.importance) > 0
    if method == "integrated-gradients":  # complete: the score of the input less that of the fill
        h = relax.Encoder(tiny).encode(torch.stack([image, torch.zeros_like(image)]))[:, 3]
        assert e.importance.sum() == pytest.approx(float(h[0] - h[1]), rel=0.02)


def test_clusters_are_their_centres(linear, inputs):
    cluster = pytest.importorskip("sklearn.cluster")
    mixture = pytest.importorskip("sklearn.mixture")
    vectors = linear.encode(inputs).numpy()
    kmeans = cluster.KMeans(2, n_init=1, random_state=0).fit(vectors)
    gaussians = mixture.GaussianMixture(2, covariance_type="spherical", random_state=0).fit(vectors)
    tree = cluster.AgglomerativeClustering(2).fit(vectors)
    x = inputs[0]
    for against, center in (
        (relax.Cluster(kmeans, 1), kmeans.cluster_centers_[1]),
        (relax.Cluster(gaussians, 0), gaussians.means_[0]),
        (relax.Cluster(tree, 1, representations=vectors), vectors[tree.labels_ == 1].mean(0)),
        (relax.Cluster(kmeans, 1, foil=0), kmeans.cluster_centers_[1] - kmeans.cluster_centers_[0]),
    ):
        e = explain(linear, x, against)
        expected = effect_of(linear, x, torch.tensor(center, dtype=torch.float32))
        np.testing.assert_allclose(e.effect, expected, rtol=1e-3, atol=5e-3)
    with pytest.raises(relax.ArgumentError, match="its clusters: 0 to 1"):
        relax.Cluster(kmeans, 7)
    with pytest.raises(relax.ArgumentError, match="representations="):
        relax.Cluster(tree, 0)
    with pytest.raises(relax.ArgumentError, match="fit it"):
        relax.Cluster(cluster.DBSCAN(), 0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_score_as_the_classifier_does(linear, inputs, n_classes):
    linear_model = pytest.importorskip("sklearn.linear_model")
    ensemble = pytest.importorskip("sklearn.ensemble")
    vectors = linear.encode(inputs).numpy()
    labels = np.array(["cat", "dog", "fox"])[np.arange(9) % n_classes]
    logistic = linear_model.LogisticRegression(max_iter=1000).fit(vectors, labels)
    forest = ensemble.RandomForestClassifier(5, random_state=0).fit(vectors, labels)
    for label in set(labels):
        column = list(logistic.classes_).index(label)
        decided = logistic.decision_function(vectors)
        decided = decided[:, column] if n_classes > 2 else decided * (1 if column else -1)
        assert explain(linear, inputs[0], relax.Class(logistic, label)).score == pytest.approx(decided[0], rel=1e-3)
        likely = forest.predict_proba(vectors)[0, column]
        e = relax.explain(linear, inputs[0], relax.Class(forest, label), masks=relax.PatchMasks(PATCH), n_masks=64)
        assert e.score == pytest.approx(likely)
        assert e.measures["importance"] == f"probability of class {label}"
    with pytest.raises(relax.ArgumentError, match="its classes: cat, dog"):
        relax.Class(logistic, "cow")
    e = relax.explain(linear, inputs[0], relax.Class(logistic, "cat"), method="saliency")
    assert e.importance.max() > 0
    with pytest.raises(relax.ArgumentError, match="gives no gradients"):
        relax.explain(linear, inputs[0], relax.Class(forest, "cat"), method="saliency")


def test_components_are_coordinates(linear, inputs):
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = linear.encode(inputs).numpy()
    pca = decomposition.PCA(3).fit(vectors)
    e = explain(linear, inputs[0], relax.Direction.component(pca, 1))
    assert e.score == pytest.approx(pca.transform(vectors)[0, 1], rel=1e-3)
    with pytest.raises(relax.ArgumentError, match="from -3 to 2"):
        relax.Direction.component(pca, 3)


def test_a_sentence_is_a_vector_in_the_same_space(tiny, image):
    table = {"a": torch.eye(12)[0], "b": torch.eye(12)[1]}
    encoder = relax.Encoder(tiny, text=lambda sentences: torch.stack([table[s] for s in sentences]))
    e = relax.explain(encoder, image, relax.Text("a", foil=["b"]), n_masks=256)
    h = encoder.encode(image).double()
    assert e.score == pytest.approx(float(cosine(h, table["a"].double()) - cosine(h, table["b"].double())), rel=1e-4)
    assert e.settings["against"]["source"] == '"a" rather than "b"'
    with pytest.raises(relax.EncoderError, match="no text tower"):
        relax.explain(tiny, image, relax.Text("a"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: relax.Corpus([]), "at least one input in the corpus"),
        (lambda: relax.Direction(torch.zeros(4)), "zero vector"),
        (lambda: relax.Direction(torch.ones(4), torch.ones(3)), "origin of length 4"),
        (lambda: relax.Point([[1.0]]), "shape"),
        (lambda: relax.Point([1.0, float("nan")]), "finite"),
        (lambda: relax.Point("cat"), "numbers"),
        (lambda: relax.Dimension("3"), "index"),
        (lambda: relax.Text(""), "sentence"),
    ],
)
def test_what_cannot_be_a_reference_is_said_at_once(make, words):
    with pytest.raises(relax.RelaxError, match=words):
        make()


def test_references_that_do_not_fit_the_encoder_are_said(tiny, image):
    for against, words in ((relax.Point(torch.ones(5)), "length 12"), (relax.Dimension(12), "below 12")):
        with pytest.raises(relax.ArgumentError, match=words):
            relax.explain(tiny, image, against)


def test_ensure_keeps_what_it_is_given(tiny):
    encoder = relax.Encoder(tiny)
    assert isinstance(ensure(None, encoder), Itself)
    against = relax.Dimension(1)
    assert ensure(against, encoder) is against


def test_what_cancels_out_is_zero_and_said(tiny, image):
    others = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    for corpus in (relax.Corpus(others, foil=others), relax.Corpus(others[:1], foil=others[:1])):
        for method in ("relax", "input-x-gradient"):
            with pytest.warns(relax.RelaxWarning, match="cancels out"):
                e = relax.explain(tiny, image, corpus, method=method, **({"n_masks": 256} if method == "relax" else {}))
            np.testing.assert_array_equal(e.effect, 0)


def test_u_relax_against_a_reference_keeps_the_neutral_value(tiny, image):
    e = relax.explain(tiny, image, relax.Dimension(2), method="relax", n_masks=512)
    filtered = relax.explain(tiny, image, relax.Dimension(2), method="u-relax", n_masks=512)
    kept = e.uncertainty <= np.median(e.uncertainty)
    np.testing.assert_allclose(filtered.effect, np.where(kept, e.effect, 0), atol=1e-12)
    assert filtered.signed


def test_methods_that_do_not_compare_say_so(tiny, image):
    with pytest.warns(relax.RelaxWarning, match="does not look at what the input is compared with"):
        relax.explain(tiny, image, relax.Dimension(0), method="lafam")


def test_references_say_what_they_are():
    assert repr(relax.Dimension(3)) == "Dimension(dimension 3)"


def test_an_encoder_that_represents_nothing_is_an_error(image):
    with pytest.raises(relax.EncoderError, match="have the same score"):
        relax.explain(relax.Encoder(lambda batch: torch.zeros(len(batch), 4)), image, n_masks=256)


def test_a_list_of_inputs_is_no_reference(tiny, image):
    with pytest.raises(relax.ArgumentError, match=r"got a list of 1; pass relax.Corpus\(\[...\]\)"):
        relax.explain(tiny, image, against=[image])


@pytest.mark.parametrize("fill", [0, 0.5, True])
def test_a_number_is_no_fill(tiny, image, fill):
    with pytest.raises(relax.ArgumentError, match=f"expected `fill` to be a colour, a picture .* got {fill}"):
        relax.explain(tiny, image, fill=fill)
