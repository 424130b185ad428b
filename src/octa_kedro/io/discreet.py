"""A source whose results, messages and log lines name files without the folders above them, or by pseudonyms alone."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd
from numpy.typing import NDArray

from octa_kedro.errors import DataError, OctaError
from octa_kedro.identifiers import clean_name
from octa_kedro.io.hiding import hide_folder, hide_names, names_below, names_in, relative_to
from octa_kedro.io.hushed import Hide, hushed
from octa_kedro.io.pseudonyms import PATIENT, SUBJECT, Entry, Pseudonyms
from octa_kedro.io.source import Source
from octa_kedro.io.volume import PlaneStack, Volume

Item = TypeVar("Item", Volume, PlaneStack)


@contextmanager
def reading_with(hide: Hide) -> Iterator[None]:
    """Apply `hide` to what is said while files are read: in log lines (`io.hushed`) and in errors."""
    with hushed(hide):
        try:
            yield
        except OctaError as error:
            # The words of the first one name files. It stays as the context, from which a fault of the machine is told.
            raise type(error)(hide(str(error))) from None
        except OSError as error:
            if error.filename is not None:
                error.filename = hide(os.fsdecode(error.filename))
            raise


class DiscreetSource(Source):
    """What `reader` reads of the files at `place`, with other names.

    ``source`` of a volume or of planes, and paths in what is said of one eye, are relative to the folder of the source,
    so that results and what is remembered of failures hold no folder of the machine, and stay true when the source is
    moved. With `pseudonyms`, eyes have the subjects of that table; names of files stand nowhere, and a patient is the
    one of that table. Whatever other libraries say of a file while it is read is not shown (`io.hushed`).
    """

    def __init__(self, reader: Source, place: Path, pseudonyms: Pseudonyms | None = None) -> None:
        self.__wrapped__ = reader  # by which `results.code` finds the code that reads
        self.place, self.pseudonyms = Path(place), pseudonyms

    @property
    def anatomy(self) -> str:
        """Whether eyes are read, whose size is checked, or anything (`io.millimetres`)."""
        return str(getattr(self.__wrapped__, "anatomy", "eye"))

    def subjects(self) -> list[str]:
        """See `Source.subjects`; with pseudonyms those. DataError for an eye without one."""
        with reading_with(self._hide_in_all):
            own = self.__wrapped__.subjects()
        return own if self.pseudonyms is None else sorted(self._entries[subject].subject for subject in own)

    def unlisted(self) -> list[str]:
        """See `Source.unlisted`; with pseudonyms those, and a number for a file that has none."""
        own = self.__wrapped__.unlisted()
        if self.pseudonyms is None:
            return list(own)
        known = self.pseudonyms.entries.items()
        return [
            next((e.subject for name, e in known if f"{clean_name(file)}.".startswith(f"{name}.")), f"unlisted_{n}")
            for n, file in enumerate(own, 1)
        ]

    def labels(self) -> pd.DataFrame:
        """See `Source.labels`. DataError if there are patients but no column for theirs in the table of pseudonyms."""
        with reading_with(self._hide_in_all):
            labels = self.__wrapped__.labels()
        if self.pseudonyms is None:
            return labels
        entries = [self._entries[str(subject)] for subject in labels[SUBJECT]]
        if PATIENT in labels.columns:
            _require_patients(self.pseudonyms)
        labels = labels.assign(**{SUBJECT: [entry.subject for entry in entries]})
        if self.pseudonyms.with_patients:
            labels = labels.assign(**{PATIENT: [entry.patient or "" for entry in entries]})
        return labels

    def patients(self) -> dict[str, str]:
        """See `Source.patients`, and `labels` for the error."""
        with reading_with(self._hide_in_all):
            own = self.__wrapped__.patients()
        if self.pseudonyms is None:
            return own
        if own:
            _require_patients(self.pseudonyms)
        return {entry.subject: entry.patient for entry in self._entries.values() if entry.patient}

    def check(self, subject: str, modality: str) -> dict[str, float]:
        """See `Source.check`."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.check(self._own(subject), modality)

    def volume(self, subject: str, modality: str) -> Volume:
        """See `Source.volume`."""
        with reading_with(self._hide_in_one):
            return self._renamed(subject, self.__wrapped__.volume(self._own(subject), modality))

    def dimensions(self, subject: str, modality: str) -> tuple[tuple[int, ...], tuple[float, float, float]]:
        """See `Source.dimensions`."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.dimensions(self._own(subject), modality)

    def fingerprint(self, subject: str, *modalities: str) -> str:
        """See `Source.fingerprint`; with pseudonyms it depends on them, since results hold them."""
        with reading_with(self._hide_in_one):
            own = self.__wrapped__.fingerprint(self._own(subject), *modalities)
        return own if self.pseudonyms is None else f"{own}-{subject}"

    def scan_files(self, subject: str, modality: str) -> Sequence[Path]:
        """See `Source.scan_files`; to be opened, not to be named: see `called`."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.scan_files(self._own(subject), modality)

    def drawn_files(self, subject: str) -> Mapping[str, Path]:
        """See `Source.drawn_files`; to be opened, not to be named."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.drawn_files(self._own(subject))

    def called(self, path: Path) -> str:
        """See `Source.called`."""
        return self._hide_in_one(str(path))

    def names(self, subject: str) -> Sequence[str]:
        """See `Source.names`; its pseudonym where there is one."""
        return (subject,) if self.pseudonyms is not None else self.__wrapped__.names(subject)

    def surfaces(self, subject: str) -> PlaneStack | None:
        """See `Source.surfaces`."""
        with reading_with(self._hide_in_one):
            found = self.__wrapped__.surfaces(self._own(subject))
            return None if found is None else self._renamed(subject, found)

    def lesion(self, subject: str) -> Volume | None:
        """See `Source.lesion`."""
        with reading_with(self._hide_in_one):
            found = self.__wrapped__.lesion(self._own(subject))
            return None if found is None else self._renamed(subject, found)

    def projection(self, subject: str, name: str) -> NDArray | None:
        """See `Source.projection`."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.projection(self._own(subject), name)

    def annotation(self, subject: str, kind: str) -> NDArray | None:
        """See `Source.annotation`."""
        with reading_with(self._hide_in_one):
            return self.__wrapped__.annotation(self._own(subject), kind)

    def faz_volume(self, subject: str) -> Volume | None:
        """See `Source.faz_volume`."""
        with reading_with(self._hide_in_one):
            found = self.__wrapped__.faz_volume(self._own(subject))
            return None if found is None else self._renamed(subject, found)

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        """The entry of the table of pseudonyms for each eye of the reader, labelled or not."""
        assert self.pseudonyms is not None
        with reading_with(self._hide_in_all):
            reader = self.__wrapped__
            own = {subject: reader.names(subject) for subject in reader.subjects()}
            try:
                labelled = reader.labels()[SUBJECT]
            except DataError:  # there may be no table of labels; `labels` says so where it is needed
                labelled = pd.Series(dtype=object)
        return self.pseudonyms.assign({str(subject): (str(subject),) for subject in labelled} | own)

    @cached_property
    def _own_names(self) -> dict[str, str]:
        return {entry.subject: subject for subject, entry in self._entries.items()}

    def _own(self, subject: str) -> str:
        """What the reader calls a subject."""
        if self.pseudonyms is None:
            return subject
        if subject not in self._own_names:
            raise DataError(f"subject {subject}: not in {self.pseudonyms.path}")
        return self._own_names[subject]

    def _renamed(self, subject: str, item: Item) -> Item:
        return replace(item, source=subject if self.pseudonyms is not None else relative_to(item.source, self.root))

    @property
    def root(self) -> Path:
        """The folder of the source, which is a folder or a file."""
        return self.place.parent if self.place.is_file() else self.place

    def _hide_in_all(self, words: str) -> str:
        """What is said of the whole source may name its folder, since nothing remembers it, but no patient."""
        return words if self.pseudonyms is None else self._hide_in_one(words)

    def _hide_in_one(self, words: str) -> str:
        if self.pseudonyms is not None:
            words = hide_names(words, names_below(words, self.root) | self._known)
        return hide_folder(words, self.root)

    @property
    def _known(self) -> dict[str, str]:
        """What every name of a file is to be replaced by; before eyes have entries, as far as that is known."""
        assert self.pseudonyms is not None
        known = names_in(self.place) | {name: entry.subject for name, entry in self.pseudonyms.entries.items()}
        for subject, entry in self.__dict__.get("_entries", {}).items():
            for name in (subject, *self.__wrapped__.names(subject)):
                known |= {name: entry.subject, str(self.root / name): entry.subject}
        return known


def _require_patients(pseudonyms: Pseudonyms) -> None:
    """DataError if the table of pseudonyms has no other words for the patients of a source."""
    if not pseudonyms.with_patients:
        raise DataError(
            f"{pseudonyms.path}: the source has a column {PATIENT}, which would be kept as it is; add a "
            f"column {PATIENT} here that names each person by another word"
        )


def open_source(open_reader: Callable[[], Source], place: Path, pseudonyms: Pseudonyms | None = None) -> DiscreetSource:
    """The source that `open_reader` opens at `place`, as a `DiscreetSource`."""
    if pseudonyms is None:
        return DiscreetSource(open_reader(), place)
    known = names_in(place) | {name: entry.subject for name, entry in pseudonyms.entries.items()}
    with reading_with(lambda words: hide_names(words, known)):
        return DiscreetSource(open_reader(), place, pseudonyms)
