"""A source file's bytes, as far as rules ask for them: opened once, read once, closed by whoever asked."""

import os
from typing import Self

from importer.core import archives, recognise
from importer.core.folder import Opener
from importer.core.header import DEFAULT_TAGS, read_header, truncation
from importer.core.names import base_name
from importer.core.records import Bad, Entry, Header
from importer.pipeline.reading import CHANGED, UNOPENED, as_listed, reader, why


class NoContent(Exception):
    """The file is not there, not readable, or not as it was listed: `bad` is what becomes of it."""

    def __init__(self, bad: Bad) -> None:
        super().__init__()
        self.bad = bad


class SourceContent:
    """`importer.core.rules.model.Content` of one listed file. `keywords` are wanted beyond those of every header.

    Every question raises NoContent, or SourceAway where it is not the file that is broken.
    """

    def __init__(self, opener: Opener, entry: Entry, *, keywords: frozenset[str]) -> None:
        self._opener, self._entry, self._wanted = opener, entry, DEFAULT_TAGS | keywords
        self._name = base_name(entry.path)
        self._handle: int | None = None
        self._is_dicom: bool | None = None
        self._header: Header | Bad | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)

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
        handle = self._opened()
        try:
            return recognise.has_preamble(os.pread(handle, recognise.PREAMBLE, 0))
        except OSError as error:
            raise NoContent(why(error)) from error

    def _read(self) -> Header | Bad:
        handle = self._opened()
        try:
            return self._first_member(handle) if self.is_archive else self._instance(handle)
        except OSError as error:
            raise NoContent(why(error)) from error

    def _instance(self, handle: int) -> Header | Bad:
        header = read_header(reader(handle), size=self._entry.size, wanted=self._wanted)
        return (isinstance(header, Header) and truncation(header, reader(handle), self._entry.size)) or header

    def _first_member(self, handle: int) -> Header | Bad:
        with os.fdopen(os.dup(handle), "rb") as stream:
            return archives.first_member_header(stream, wanted=self._wanted)

    def _opened(self) -> int:
        if self._handle is None:
            try:
                self._handle = self._opener.open(self._entry.path)
            except UNOPENED as error:
                raise NoContent(why(error)) from error
            if not as_listed(self._opener, self._handle, self._entry):
                raise NoContent(CHANGED)
        return self._handle
