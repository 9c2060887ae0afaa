#!/usr/bin/env python3
"""make_metadata.py: puts into plain pictures what a telephone puts into them, for tests of its removal.

Every secret is the word SOUKSECRET, or the coordinates 48 51 30 N, 2 17 40 E as EXIF rationals, so that a
test can look for them in what a node would publish.  Standard library only; same input, same bytes."""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5


def ifd(order, at, entries, following=0):
    """One directory at offset `at`, with its long values behind it.  Returns bytes."""
    head = struct.pack(order + "H", len(entries))
    table, values = b"", b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        if kind == ASCII:
            raw, count = value.encode() + b"\0", len(value) + 1
        elif kind == SHORT:
            raw, count = struct.pack(order + "H", value), 1
        elif kind == LONG:
            raw, count = struct.pack(order + "I", value), 1
        else:
            raw, count = b"".join(struct.pack(order + "II", n, 1) for n in value), len(value)
        if len(raw) <= 4:
            cell = raw.ljust(4, b"\0")
        else:
            cell = struct.pack(order + "I", behind + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        table += struct.pack(order + "HHI", tag, kind, count) + cell
    return head + table + struct.pack(order + "I", following) + values


def exif(order):
    mark = b"II" if order == "<" else b"MM"
    start = 8
    first = [(0x010F, ASCII, "SOUKSECRET maker"), (0x0110, ASCII, "SOUKSECRET model"), (0x0112, SHORT, 1),
             (0x0132, ASCII, "2024:05:06 07:08:09"), (0x013B, ASCII, "SOUKSECRET owner"), (0x8825, LONG, 0)]
    gps_at = start + len(ifd(order, start, first))
    first[-1] = (0x8825, LONG, gps_at)
    gps = [(1, ASCII, "N"), (2, RATIONAL, (48, 51, 30)), (3, ASCII, "E"), (4, RATIONAL, (2, 17, 40))]
    return (b"Exif\0\0" + mark + struct.pack(order + "HI", 42, start) + ifd(order, start, first)
            + ifd(order, gps_at, gps))


def segment(marker, body):
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def read(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def main():
    plain, progressive = read("plain.jpg"), read("plain-progressive.jpg")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>SOUKSECRET</x:xmpmeta>"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0f\x1c\x02\x50\0\x0aSOUKSECRET\0"
    soi = b"\xff\xd8"
    write("with-gps.jpg", soi + segment(0xE1, exif(">")) + plain[2:])
    write("with-everything.jpg", soi + segment(0xE1, exif("<")) + segment(0xE1, xmp) + segment(0xED, iptc)
          + segment(0xFE, b"SOUKSECRET comment") + progressive[2:])
    write("with-trailer.jpg", plain + b"SOUKSECRET: bytes behind the end of the picture")
    picture = read("plain.png")
    header = 8 + 25  # signature and IHDR
    write("with-text.png", picture[:header] + png_chunk(b"tEXt", b"Author\0SOUKSECRET")
          + png_chunk(b"eXIf", exif(">")[6:]) + png_chunk(b"tIME", struct.pack(">HBBBBB", 2024, 5, 6, 7, 8, 9))
          + picture[header:])


if __name__ == "__main__":
    main()
