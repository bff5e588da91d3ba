"""Where the inputs of a modality are found: in folders, as parts of files, in cells of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from relax.errors import InputError
from relax.modalities.parts import Part, chosen, numbered


class Finding:
    """The part of a modality that finds inputs; nothing has to be implemented for inputs that are no files.

    Attributes:
        suffixes: suffixes of its files; none if inputs are no files.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    def files_in(self, folder: Path) -> list[Path]:
        """Input files in a folder, not recursive, sorted; by default those with the modality's suffixes.

        Raises:
            InputError: the modality does not read folders.
        """
        return self._files(folder, folder.iterdir())

    def files_below(self, folder: Path) -> list[Path]:
        """Input files in a folder and its subfolders, as absolute paths, sorted; by default those with its suffixes.

        Raises:
            InputError: the modality does not read folders.
        """
        return self._files(folder, folder.resolve().rglob("*"))

    def _files(self, folder: Path, files: Iterable[Path]) -> list[Path]:
        if not self.suffixes:
            raise InputError(f"{folder}: expected an input, got a folder")
        return sorted(file for file in files if file.suffix.lower() in self.suffixes and not file.is_dir())

    def parts_of(self, file: Path) -> Sequence[Part] | None:
        """Inputs that a file holds, such as the rows of a table; ``None`` (default) for a file that is one input.

        Args:
            file: path of the file.

        Raises:
            InputError: the file cannot be read.
        """
        return None

    def at(self, file: Path) -> Any:
        """The input of a name: a file, or ``FILE#N`` for one of several in a file.

        Args:
            file: path of the file, perhaps with a number.

        Raises:
            InputError: there is no such input, or the file holds several and none is named.
        """
        path, row = numbered(file)
        parts = self.parts_of(path)
        if row is not None:
            return chosen(parts, path, row, str(getattr(self, "name", "other")))
        if parts is None:
            return path
        if len(parts) > 1:
            raise InputError(f"{path}: holds {len(parts)} inputs; name one by its number, from 0: {path}#0")
        return parts[0]

    def probe(self, shape: tuple[int, ...] | None = None) -> Any:
        """A fixed input by which encoders are told apart; ``None`` (default) if the modality has none.

        Args:
            shape: shape of the tensor of an input, for modalities whose inputs have no size of their own.
        """
        return None

    def passages(self, source: Any) -> list[tuple[tuple[int, int] | None, Any]]:
        """Parts of a long input that an index keeps one by one, each with its span; by default the whole input.

        Args:
            source: one input.

        Raises:
            InputError: the source cannot be read.
        """
        return [(None, source)]

    def of_cell(self, value: Any, folder: Path) -> Any:
        """Input in a cell of a table or data set; by default the value itself.

        Args:
            value: the value of the cell.
            folder: folder of the table, which relative paths start from.

        Raises:
            InputError: the value is not an input of this modality.
        """
        return value
