"""Real DICOM files made on the spot: the base instance of the mapping table, with changes."""

import io
import struct
import warnings

import pydicom.uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from importer.core.header import read_header, truncation
from importer.core.records import Bad, Header

BASE = {
    "SpecificCharacterSet": "ISO_IR 192",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
    "SOPInstanceUID": "1.2.3.4.1.1.1",
    "PatientID": "P01",
    "StudyInstanceUID": "1.2.3.4.1",
    "SeriesInstanceUID": "1.2.3.4.1.1",
    "Modality": "MR",
    "StudyDate": "20200102",
    "StudyTime": "030405",
    "StudyDescription": "BRAIN^ROUTINE",
    "SeriesNumber": "3",
    "SeriesDescription": "t1",
}
SYNTAXES = {
    "explicit little": pydicom.uid.ExplicitVRLittleEndian,
    "implicit little": pydicom.uid.ImplicitVRLittleEndian,
    "explicit big": pydicom.uid.ExplicitVRBigEndian,
    "deflated": pydicom.uid.DeflatedExplicitVRLittleEndian,
}


def dataset(**changes):
    """The base with changes; None takes an element away."""
    made = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in (BASE | changes).items():
            if value is not None:
                setattr(made, keyword, value)
    return made


def file_of(made, *, syntax="explicit little"):
    """The bytes of a DICOM file."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID", "1.2")
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "1.2")
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def element(group, number, vr, value):
    """An explicit little endian element of a short VR."""
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def with_pixels(made, *, rows=8, columns=8, bits=16, frames=None):
    """Native pixel data, as long as the header says."""
    made.Rows, made.Columns, made.BitsAllocated = rows, columns, bits
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, 0
    if frames:
        made.NumberOfFrames = frames
    length = rows * columns * bits * (frames or 1) // 8
    made.PixelData = bytes(length + length % 2)
    made["PixelData"].VR = "OW"
    return made


def nested(depth):
    """An image with sequences of undefined length inside one another."""
    inner = dataset()
    for _ in range(depth):
        outer = dataset()
        outer.ReferencedSeriesSequence = Sequence([inner])
        outer["ReferencedSeriesSequence"].is_undefined_length = True
        inner.is_undefined_length_sequence_item = True
        inner = outer
    return with_pixels(inner)


def reading(data):
    """`read_at` over bytes."""
    return lambda offset, length: data[offset : offset + length]


def read(data):
    return read_header(reading(data), size=len(data))


def verdict(data):
    """What becomes of a file: its header, or why not."""
    found = read(data)
    return found if isinstance(found, Bad) else truncation(found, reading(data), size=len(data)) or found


def header(**changes):
    """As read back from a file with these changes."""
    found = read(file_of(dataset(**changes)))
    assert isinstance(found, Header), found
    return found
