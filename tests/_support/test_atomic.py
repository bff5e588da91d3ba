"""Files are there whole or not at all, wherever their path leads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import relax
from relax._support.atomic import atomic_write, writable_folder


def write(path, content=b"new"):
    with atomic_write(path) as file:
        file.write(content)


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "file"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"new"


def test_a_pipe_is_written_through(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    write(tmp_path / "pipe")
    assert reader.communicate(timeout=10)[0] == b"new"


def test_a_device_is_left_a_device():
    write("/dev/null")
    assert not os.path.isfile("/dev/null")  # noqa: PTH113


def test_folders_and_links_to_themselves_are_refused(tmp_path):
    with pytest.raises(relax.ArgumentError, match="got a folder"):
        write(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(relax.ArgumentError, match="leads to itself"):
        write(tmp_path / "loop")


def test_leftovers_of_processes_that_are_gone_are_removed(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = int(done.stdout)
    mine, other = tmp_path / f".file.{gone}-1.tmp", tmp_path / f".other.{gone}-1.tmp"
    living = tmp_path / f".file.{os.getppid()}-1.tmp"
    for path in (mine, other, living):
        path.write_bytes(b"half")
    write(tmp_path / "file")
    assert not mine.exists()
    assert other.exists()  # of another file
    assert living.exists()  # its process may still be at it


def test_an_error_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError), atomic_write(tmp_path / "file") as file:
        file.write("no bytes")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_the_file_system_says_is_one_line_with_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    for path, reason in (
        (tmp_path / "nowhere" / "file", "its folder does not exist; create it first"),
        (tmp_path / "file" / "below", "Not a directory; choose another path"),
        (tmp_path / ("long" * 100), "File name too long; choose another path"),
    ):
        with pytest.raises(relax.ArgumentError) as caught:
            write(path)
        assert str(caught.value) == f"{path}: cannot be written: {reason}"
    full = pytest.raises(relax.ArgumentError, match="cannot be written: No space left on device")
    with full, atomic_write(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_pipe_whose_reader_has_left_is_no_error_of_the_path(tmp_path):
    with pytest.raises(BrokenPipeError), atomic_write(tmp_path / "file"):
        raise BrokenPipeError


def test_a_folder_in_the_place_of_a_file_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(relax.ArgumentError, match=r"file/in: cannot create this folder: .*; choose another one"):
        writable_folder(tmp_path / "file" / "in")
    assert writable_folder(tmp_path / "a" / "b").is_dir()
