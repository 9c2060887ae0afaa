#!/usr/bin/env python3
"""make_photos.py: draws the pictures of the catalogue, from photos.tsv into photos/.

Each line of photos.tsv names a file, a drawing (a function of drawings.py), a colour and a view (0 plain,
1 near and mirrored, 2 from farther off).  Standard library only and no randomness: the wall behind a thing
is chosen by the CRC of the file's name, so that every run writes the same bytes with the same zlib.

A picture is drawn at twice its size as rows of colour numbers, halved by averaging (which smooths edges),
and written as a PNG of 8-bit palette colour with the chunks IHDR, PLTE, IDAT and IEND only.
"""
import math
import os
import struct
import sys
import zlib

import drawings
import drawings_more  # noqa: F401  adds to drawings.DRAWINGS

WIDTH, HEIGHT, SCALE = 480, 360, 2
HERE = os.path.dirname(os.path.abspath(__file__))
COLOURS = {
    "black": (58, 60, 68), "blue": (62, 112, 190), "brown": (156, 104, 62), "green": (74, 146, 92),
    "grey": (142, 150, 160), "orange": (232, 134, 52), "pink": (232, 140, 170), "purple": (134, 94, 170),
    "red": (204, 66, 60), "white": (238, 238, 234), "yellow": (240, 196, 66),
}
FIXED = {
    "k": (40, 42, 48), "w": (250, 250, 248), "g": (120, 126, 134), "s": (190, 196, 204),
    "b": (172, 120, 74), "n": (104, 70, 44), "y": (246, 206, 84), "r": (204, 70, 62),
    "a": (150, 200, 226), "e": (92, 158, 92), "h": (232, 186, 150),
}
ROOMS = [  # wall, floor
    ((226, 234, 240), (196, 184, 168)), ((240, 230, 216), (186, 160, 130)),
    ((222, 236, 224), (204, 196, 180)), ((242, 224, 222), (190, 176, 170)),
    ((230, 226, 242), (188, 182, 196)), ((246, 240, 214), (200, 180, 146)),
    ((212, 230, 236), (176, 188, 176)), ((236, 236, 232), (170, 150, 132)),
]


def mixed(a, b, part):
    return tuple(round(x + (y - x) * part) for x, y in zip(a, b))


class Picture:
    """Shapes in a space of 480 by 360, y downwards.  Colours are one-letter names: c the thing's own, d and
    l darker and lighter of it, o the shadow, W the wall, and those of FIXED."""

    def __init__(self, colour, room, view):
        main = COLOURS[colour]
        wall, floor = room
        named = dict(FIXED, c=main, d=mixed(main, (20, 20, 30), 0.32), l=mixed(main, (255, 255, 255), 0.45),
                     W=wall, F=floor, o=mixed(floor, (30, 30, 40), 0.22))
        self.rgb = list(named.values())
        self.number = {name: i for i, name in enumerate(named)}
        self.zoom, self.mirror, self.drop = [(1.0, 1, 0), (1.22, -1, -6), (0.78, 1, 24)][view]
        self.rows = [bytearray([self.number["W"]]) * (WIDTH * SCALE) for _ in range(HEIGHT * SCALE)]
        line = (264 + self.drop) * SCALE
        self.rows[line:] = [bytearray([self.number["F"]]) * (WIDTH * SCALE) for _ in range(HEIGHT * SCALE - line)]

    def place(self, point):
        x = (WIDTH / 2 + (point[0] - WIDTH / 2) * self.zoom * self.mirror) * SCALE
        y = (HEIGHT / 2 + (point[1] - HEIGHT / 2) * self.zoom + self.drop) * SCALE
        return x, y

    def fill(self, colour, *outlines):
        """Fills closed outlines by the even-odd rule, so that an outline within another is a hole."""
        crossings = {}
        for outline in outlines:
            points = [self.place(p) for p in outline]
            for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1]):
                if y0 > y1:
                    x0, y0, x1, y1 = x1, y1, x0, y0
                for y in range(max(0, math.ceil(y0 - 0.5)), min(HEIGHT * SCALE, math.ceil(y1 - 0.5))):
                    crossings.setdefault(y, []).append(x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0))
        paint = bytes([self.number[colour]])
        for y, xs in crossings.items():
            xs.sort()
            for left, right in zip(xs[::2], xs[1::2]):
                a = min(max(round(left), 0), WIDTH * SCALE)
                b = min(max(round(right), 0), WIDTH * SCALE)
                self.rows[y][a:b] = paint * (b - a)

    def poly(self, colour, *points):
        self.fill(colour, points)

    @staticmethod
    def round_outline(x, y, rx, ry, start=0, end=360):
        steps = max(6, round(64 * (end - start) / 360))
        angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + (end - start < 360))]
        return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]

    def oval(self, colour, x, y, rx, ry=None):
        self.fill(colour, self.round_outline(x, y, rx, ry or rx))

    def half(self, colour, x, y, rx, ry, start, end):
        """Part of an oval, cut along its chord.  Degrees, clockwise from the right."""
        self.fill(colour, self.round_outline(x, y, rx, ry, start, end))

    def ring(self, colour, x, y, r, thick, ry=None):
        ry = ry or r
        self.fill(colour, self.round_outline(x, y, r, ry), self.round_outline(x, y, r - thick, ry - thick))

    def box(self, colour, x, y, w, h, corner=0):
        if corner == 0:
            return self.poly(colour, (x, y), (x + w, y), (x + w, y + h), (x, y + h))
        r = min(corner, w / 2, h / 2)
        self.fill(colour, self.round_outline(x + w - r, y + r, r, r, -90, 0)
                  + self.round_outline(x + w - r, y + h - r, r, r, 0, 90)
                  + self.round_outline(x + r, y + h - r, r, r, 90, 180)
                  + self.round_outline(x + r, y + r, r, r, 180, 270))

    def line(self, colour, thick, *points):
        for (x0, y0), (x1, y1) in zip(points, points[1:]):
            length = math.hypot(x1 - x0, y1 - y0) or 1
            dx, dy = (y1 - y0) * thick / 2 / length, (x0 - x1) * thick / 2 / length
            self.poly(colour, (x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy))
        for x, y in points:
            self.oval(colour, x, y, thick / 2)

    def arc(self, colour, thick, x, y, rx, ry, start, end):
        self.line(colour, thick, *self.round_outline(x, y, rx, ry, start, end))

    def shadow(self, x, y, rx):
        self.oval("o", x, y, rx, 11)

    def png(self):
        seen, palette, known = {}, [], {}

        def shade(four):
            mean = tuple(sum(self.rgb[i][k] for i in four) // 4 for k in range(3))
            mean = mean if len(set(four)) == 1 else tuple(min(255, v // 12 * 12) for v in mean)
            if mean not in known:
                known[mean] = len(palette)
                palette.append(mean)
            seen[four] = known[mean]
            return seen[four]

        data = bytearray()
        for top, low in zip(self.rows[::2], self.rows[1::2]):
            data.append(0)
            data += bytes(seen[f] if f in seen else shade(f) for f in zip(top[::2], top[1::2], low[::2], low[1::2]))
        if len(palette) > 256:
            raise ValueError("more than 256 colours")

        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0))
                + chunk(b"PLTE", bytes(v for c in palette for v in c))
                + chunk(b"IDAT", zlib.compress(bytes(data), 9)) + chunk(b"IEND", b""))


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "photos")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(HERE, "photos.tsv"), encoding="utf-8") as manifest:
        next(manifest)
        for text in manifest:
            file, drawing, colour, view = text.rstrip("\n").split("\t")
            room = ROOMS[zlib.crc32(file.encode()) % len(ROOMS)]
            picture = Picture(colour, room, int(view))
            drawings.DRAWINGS[drawing](picture)
            with open(os.path.join(out, file), "wb") as png:
                png.write(picture.png())


if __name__ == "__main__":
    main()
