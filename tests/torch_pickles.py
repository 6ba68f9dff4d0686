"""Pickles and archives as `torch.save` writes them, by hand."""

import zipfile


def glob(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def integer(value):
    return b"\x8a" + bytes([9]) + value.to_bytes(9, "little", signed=True)


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def write(path, data, *, storage=bytes(16), byteorder=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", storage)
        if byteorder:
            archive.writestr("archive/byteorder", byteorder)
    return path
