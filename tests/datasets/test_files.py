"""A user's own data, in the formats that VOC, COCO and a folder have; the fixtures are written here."""

import json

import numpy as np
import pytest
from PIL import Image

import relax
from relax.datasets import Coco, Folder, Object, Voc, chosen, open_dataset


def picture(path, size=(40, 30), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def voc(tmp_path):
    home = tmp_path / "VOCdevkit" / "VOC2012"
    picture(home / "JPEGImages" / "a.jpg")
    indices = np.zeros((30, 40), dtype=np.uint8)
    indices[5:15, 10:30] = 8  # a cat
    indices[20:22, 0:3] = 15  # a person
    indices[4, 10:30] = 255  # the border of the cat
    (home / "SegmentationClass").mkdir()
    mask = Image.fromarray(indices, mode="P")
    mask.putpalette([0, 0, 0] * 256)
    mask.save(home / "SegmentationClass" / "a.png")
    (home / "ImageSets" / "Segmentation").mkdir(parents=True)
    (home / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    return tmp_path


@pytest.fixture
def coco(tmp_path):
    picture(tmp_path / "val2017" / "one.jpg")
    about = {
        "images": [{"id": 7, "file_name": "one.jpg", "width": 40, "height": 30}],
        "categories": [{"id": 3, "name": "dog"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 3,
                "segmentation": [[10, 5, 30, 5, 30, 15, 10, 15]],
                "area": 200,
                "bbox": [10, 5, 20, 10],
                "iscrowd": 0,
            }
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(about))
    return tmp_path


def test_voc(voc):
    dataset = open_dataset(f"voc:{voc}")
    assert isinstance(dataset, Voc)
    assert (len(dataset), dataset.id(0)) == (1, "a")
    sample = dataset[0]
    assert {item.category: item.box for item in sample.objects} == {"cat": (10, 5, 30, 15), "person": (0, 20, 3, 22)}
    assert sample.category == "cat"
    assert sample.mask.sum() == 200 + 6  # the void border is not part of the object


def test_coco(coco):
    dataset = open_dataset(f"coco:{coco}")
    assert isinstance(dataset, Coco)
    sample = dataset[0]
    assert sample.id == "one.jpg"
    (dog,) = sample.objects
    assert dog.category == "dog"
    assert dog.box == (10, 5, 30, 15)
    assert dog.mask.sum() == 200


def test_folder_with_and_without_masks(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "cats" / "b.png")
    (tmp_path / "masks" / "cats").mkdir(parents=True)
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[3:9, 4:8] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "cats" / "b.png")
    dataset = open_dataset(f"folder:{tmp_path}")
    assert [dataset.id(k) for k in range(len(dataset))] == ["a.jpg", "cats/b.png"]
    assert dataset[1].objects[0].box == (4, 3, 8, 9)
    assert dataset[1].category == "cats"
    assert dataset[0].mask is None
    assert Folder(tmp_path / "images")[0].mask is None


@pytest.mark.parametrize("name", ["voc", "coco", "folder"])
def test_what_is_not_there_is_named(name, tmp_path):
    with pytest.raises(relax.InputError, match=str(tmp_path)):
        open_dataset(f"{name}:{tmp_path}")
    with pytest.raises(relax.InputError, match="nowhere"):
        open_dataset(f"{name}:{tmp_path / 'nowhere'}")


def test_damaged_files_are_named(voc, coco):
    (voc / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "a.png").write_bytes(b"no")
    with pytest.raises(relax.InputError, match=r"a\.png: cannot be read as a mask"):
        open_dataset(f"voc:{voc}")[0]
    (coco / "val2017" / "one.jpg").write_bytes(b"no")
    with pytest.raises(relax.InputError, match=r"one\.jpg: not a picture"):
        open_dataset(f"coco:{coco}")[0]
    (coco / "annotations" / "instances_val2017.json").write_text("[]")
    with pytest.raises(relax.InputError, match="not a COCO annotation file"):
        open_dataset(f"coco:{coco}")


def test_masks_that_do_not_fit_are_named(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "masks" / "a.png", size=(20, 20))
    with pytest.raises(relax.InputError, match="expected a mask of 40x30 pixels, like its picture, got 20x20"):
        open_dataset(f"folder:{tmp_path}")[0]
    Image.new("L", (40, 30)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(relax.InputError, match="the mask is empty"):
        open_dataset(f"folder:{tmp_path}")[0]


def test_unknown_names():
    with pytest.raises(relax.UnknownNameError, match="stamps, stamps:several, fashion-scenes"):
        open_dataset("stamp")


def test_fewer_inputs_are_the_first_of_more():
    dataset = range(100)
    few, many = list(chosen(dataset, 5, 3)), list(chosen(dataset, 50, 3))
    assert many[:5] == few
    assert len(set(many)) == 50
    assert sorted(chosen(dataset, None, 3)) == list(range(100))
    with pytest.raises(relax.ArgumentError):
        list(chosen(dataset, 0, 3))


def test_an_object_without_pixels_has_no_box():
    with pytest.raises(relax.InputError, match="mask of 'cat' is empty"):
        _ = Object("cat", np.zeros((3, 3), dtype=bool)).box
