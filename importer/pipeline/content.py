"""A source file's bytes, as far as rules ask for them: opened once, read once, closed by whoever asked."""

from typing import Self

from importer.core import archives, recognise
from importer.core.header import DEFAULT_TAGS, read_header, truncation
from importer.core.names import base_name
from importer.core.records import Bad, Entry, Header
from importer.pipeline.opened import Opened
from importer.pipeline.reading import CHANGED, UNOPENED, why
from importer.pipeline.sources import Source


class NoContent(Exception):
    """The file is not there, not readable, or not as it was listed: `bad` is what becomes of it."""

    def __init__(self, bad: Bad) -> None:
        super().__init__()
        self.bad = bad


class SourceContent:
    """`importer.core.rules.model.Content` of one listed file. `keywords` are wanted beyond those of every header.

    Every question raises NoContent, or SourceAway where it is not the file that is broken.
    """

    def __init__(self, source: Source, entry: Entry, *, keywords: frozenset[str]) -> None:
        self._source, self._entry, self._wanted = source, entry, DEFAULT_TAGS | keywords
        self._name = base_name(entry.path)
        self._file: Opened | None = None
        self._is_dicom: bool | None = None
        self._header: Header | Bad | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_archive(self) -> bool:
        """A `.dicom.zip` that came as one: it is DICOM by its first member."""
        return recognise.is_series_archive(self._name)

    def is_dicom(self) -> bool:
        if self._is_dicom is None:
            self._is_dicom = self.is_archive or recognise.claims_dicom(self._name) or self._begins_like_dicom()
        return self._is_dicom

    def header(self) -> Header | Bad:
        if self._header is None:
            self._header = self._read()
        return self._header

    def _begins_like_dicom(self) -> bool:
        file = self._opened()
        try:
            return recognise.has_preamble(file.read_at(0, recognise.PREAMBLE))
        except OSError as error:
            raise NoContent(why(error)) from error

    def _read(self) -> Header | Bad:
        file = self._opened()
        try:
            return self._first_member(file) if self.is_archive else self._instance(file)
        except OSError as error:
            raise NoContent(why(error)) from error

    def _instance(self, file: Opened) -> Header | Bad:
        size = self._entry.size
        header = read_header(file.read_at, size=size, wanted=self._wanted)
        cut = truncation(header, file.read_at, size, far=self._source.far) if isinstance(header, Header) else None
        return cut or header

    def _first_member(self, file: Opened) -> Header | Bad:
        with file.stream() as stream:
            return archives.first_member_header(stream, wanted=self._wanted)

    def _opened(self) -> Opened:
        if self._file is None:
            try:
                self._file = self._source.open(self._entry)
            except UNOPENED as error:
                raise NoContent(why(error)) from error
            if not self._file.as_listed():
                raise NoContent(CHANGED)
        return self._file
