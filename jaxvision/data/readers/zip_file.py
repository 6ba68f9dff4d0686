"""Random access to the files in a zip archive, from any number of threads, without unpacking it.

The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 and 4.3.12.
The standard library's `ZipFile` reads the table of contents once; a file is then read by its
position. `ZipFile.open` would serialise the threads on one lock.
"""

import os
import struct
import weakref
import zipfile
import zlib

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.picture import LIMIT, max_pixels
from jaxvision.data.readers.checks import check_file_name

_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADER = struct.Struct("<4s22x2H")  # signature, ..., length of the name, of the extra field


class ZipMembers:
    """The files of an archive, by number; names [n] bytes and positions are in flat arrays."""

    def __init__(self, path: str) -> None:
        """Reads the table of contents; DataError if it is none, or a file is encrypted."""
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
        # Of a damaged archive the standard library raises whatever its fields happen to raise.
        except Exception as error:
            raise DataError(
                f"{path}: not a readable zip archive: {error}. Download or copy it again."
            ) from error
        # An image is not larger than its pixels in 4 bytes each.
        self._limit = 4 * max_pixels()
        for member in members:
            if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
                raise DataError(
                    f"{path}: {member.filename} is encrypted or compressed by method "
                    f"{member.compress_type}; expected files that are stored or deflated. Pack it "
                    "again, or unpack it into a folder."
                )
            check_file_name(member.filename, f"{path}: the name of a file")
            if member.file_size > self._limit:
                raise DataError(
                    f"{path}: {member.filename} has {member.file_size:,} bytes, expected at most "
                    f"{self._limit:,}. Unpack it into a folder, or set the environment variable "
                    f"{LIMIT} if the memory suffices."
                )
        self.names = np.array([os.fsencode(member.filename) for member in members], np.bytes_)
        self._offsets = np.array([member.header_offset for member in members], np.int64)
        self._sizes = np.array([member.compress_size for member in members], np.int64)
        self._unpacked = np.array([member.file_size for member in members], np.int64)
        self._checks = np.array([member.CRC for member in members], np.uint32)
        self._deflated = np.array(
            [member.compress_type == zipfile.ZIP_DEFLATED for member in members], bool
        )
        # Open as long as the object lives, so that reading a member opens nothing.
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._end = os.fstat(self._file).st_size

    def __len__(self) -> int:
        return len(self.names)

    def name(self, number: int) -> str:
        """Returns the path of a file, the archive's first."""
        return f"{self.path}/{os.fsdecode(self.names[number])}"

    def read(self, number: int) -> bytes:
        """Reads a file; DataError if the content is not what was packed."""
        offset, size = int(self._offsets[number]), int(self._sizes[number])
        # pread uses no file position, which threads would share, and lets other threads run.
        content = None
        if 0 <= offset <= self._end - _HEADER.size and size <= self._end:
            header = os.pread(self._file, _HEADER.size, offset)
            signature, name, extra = _HEADER.unpack(header)
            if signature == b"PK\x03\x04":
                content = os.pread(self._file, size, offset + _HEADER.size + name + extra)
        try:
            if content is not None and self._deflated[number]:
                # Not more than the archive states: a megabyte may unpack to a gigabyte.
                stream = zlib.decompressobj(-zlib.MAX_WBITS)
                content = stream.decompress(content, int(self._unpacked[number]) + 1)
        except zlib.error:
            content = None
        if content is None or zlib.crc32(content) != int(self._checks[number]):
            raise DataError(
                f"{self.name(number)}: the archive is damaged: the checksum of the content is "
                "wrong. Download or copy the archive again."
            )
        return content
