"""What a file is called by its ending, in the words that the archive filters by."""

_ENDINGS = {
    "nifti": (".nii", ".nii.gz"),
    "image": (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif"),
    "pdf": (".pdf",),
    "tabular": (".csv", ".tsv", ".xls", ".xlsx"),
    "json": (".json",),
    "text": (".txt", ".md", ".log"),
    "archive": (".zip", ".tar", ".tar.gz", ".tgz", ".7z"),
    "video": (".mp4", ".avi", ".mov", ".mpg"),
}


def file_type(name: str) -> str:
    """Empty where the ending says nothing."""
    lowered = name.lower()
    return next((kind for kind, endings in _ENDINGS.items() if lowered.endswith(endings)), "")
