"""drawings.py: what the things of the catalogue look like, one function a thing.

Each takes a Picture (see make_photos.py) and draws on 480 by 360 in the thing's own colour c, its darker d
and lighter l, and the fixed k black, w white, g and s greys, b and n woods, y yellow, r red, a pale blue,
e green, h skin.  Things stand near y = 300."""

DRAWINGS = {}


def drawing(*names):
    def keep(function):
        for name in names:
            DRAWINGS[name] = function
        return function
    return keep


def legs(p, colour, thick, y0, y1, *xs):
    for x in xs:
        p.box(colour, x - thick / 2, y0, thick, y1 - y0)


# ---- wheels


def spoked(p, x, y, r):
    p.ring("k", x, y, r, 7)
    for dx, dy in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7)):
        p.line("s", 1.6, (x - dx * (r - 8), y - dy * (r - 8)), (x + dx * (r - 8), y + dy * (r - 8)))
    p.oval("g", x, y, 6)


@drawing("bicycle")
def bicycle(p):
    p.shadow(240, 302, 170)
    spoked(p, 140, 232, 66)
    spoked(p, 340, 232, 66)
    p.line("c", 8, (140, 232), (196, 150), (300, 150), (232, 236), (140, 232))
    p.line("c", 8, (190, 138), (232, 236))
    p.line("c", 8, (340, 232), (294, 120))
    p.line("k", 7, (294, 120), (316, 108), (330, 118))
    p.box("k", 162, 126, 56, 12, 6)
    p.ring("g", 232, 236, 17, 5)
    p.line("k", 5, (232, 236), (246, 262), (262, 262))


@drawing("cargo")
def cargo(p):
    p.shadow(240, 302, 200)
    spoked(p, 92, 246, 52)
    spoked(p, 408, 258, 40)
    p.poly("c", (216, 166), (374, 166), (356, 262), (232, 262))
    p.box("d", 210, 158, 170, 14, 5)
    p.line("k", 7, (92, 246), (150, 150), (196, 262), (240, 262))
    p.line("k", 7, (356, 256), (408, 258))
    p.line("k", 7, (170, 236), (200, 120), (226, 112))
    p.box("k", 124, 138, 54, 12, 6)


@drawing("wheel")
def wheel(p):
    p.shadow(240, 306, 110)
    p.ring("k", 240, 184, 122, 14)
    p.ring("c", 240, 184, 108, 8)
    for dx, dy in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7), (0.92, 0.38), (0.38, 0.92), (0.92, -0.38), (0.38, -0.92)):
        p.line("s", 2, (240 - dx * 102, 184 - dy * 102), (240 + dx * 102, 184 + dy * 102))
    p.oval("g", 240, 184, 15)


@drawing("tyre")
def tyre(p):
    p.shadow(240, 312, 150)
    for x in (180, 296):
        p.oval("k", x, 206, 104)
        p.oval("s", x, 206, 60)
        for dx, dy in ((1, 0), (0.31, 0.95), (-0.81, 0.59), (-0.81, -0.59), (0.31, -0.95)):
            p.line("g", 12, (x, 206), (x + dx * 50, 206 + dy * 50))
        p.oval("k", x, 206, 12)


@drawing("car")
def car(p):
    p.shadow(240, 296, 190)
    p.poly("c", (134, 190), (186, 122), (312, 122), (364, 190))
    p.box("c", 62, 182, 360, 84, 28)
    p.poly("a", (156, 188), (194, 136), (242, 136), (242, 188))
    p.poly("a", (254, 188), (254, 136), (304, 136), (340, 188))
    p.line("d", 3, (248, 190), (248, 258))
    p.box("k", 258, 204, 26, 6, 3)
    p.oval("y", 408, 212, 11)
    p.oval("r", 74, 210, 8)
    for x in (146, 344):
        p.oval("k", x, 266, 38)
        p.oval("s", x, 266, 19)


@drawing("van")
def van(p):
    p.shadow(240, 298, 194)
    p.box("c", 60, 104, 280, 166, 18)
    p.poly("c", (320, 118), (366, 118), (420, 194), (428, 270), (320, 270))
    p.poly("a", (334, 132), (362, 132), (400, 190), (334, 190))
    p.box("l", 60, 200, 366, 12)
    p.box("a", 96, 130, 96, 50, 8)
    p.line("d", 3, (222, 116), (222, 266))
    p.oval("y", 416, 222, 10)
    for x in (132, 356):
        p.oval("k", x, 268, 36)
        p.oval("s", x, 268, 18)


@drawing("motorbike")
def motorbike(p):
    p.shadow(240, 302, 184)
    for x in (122, 360):
        p.ring("k", x, 240, 60, 20)
        p.oval("s", x, 240, 14)
    p.poly("g", (200, 200), (290, 200), (276, 266), (204, 266))
    p.poly("c", (190, 148), (288, 140), (312, 190), (206, 196))
    p.poly("k", (106, 152), (200, 160), (204, 184), (112, 172))
    p.line("s", 8, (360, 240), (302, 126))
    p.line("k", 7, (302, 126), (274, 108))
    p.oval("y", 322, 148, 16)
    p.line("s", 10, (230, 262), (96, 270))


@drawing("scooter")
def scooter(p):
    p.shadow(240, 306, 150)
    p.line("c", 12, (330, 276), (298, 78))
    p.line("k", 10, (262, 80), (334, 70))
    p.box("d", 130, 262, 190, 14, 7)
    for x in (132, 336):
        p.oval("k", x, 280, 24)
        p.oval("s", x, 280, 10)
    p.oval("y", 306, 104, 8)


@drawing("trailer")
def trailer(p):
    p.shadow(220, 300, 170)
    p.box("c", 70, 160, 270, 92, 6)
    for x in (70, 160, 250, 330):
        p.box("d", x, 160, 10, 92)
    p.line("g", 10, (340, 248), (440, 262))
    p.oval("g", 440, 258, 12)
    p.oval("k", 206, 258, 40)
    p.oval("s", 206, 258, 19)
    p.oval("r", 78, 240, 8)


@drawing("boat")
def boat(p):
    p.box("a", 0, 244, 480, 120)
    p.poly("c", (60, 186), (420, 186), (366, 268), (120, 268))
    p.poly("d", (60, 186), (420, 186), (412, 202), (68, 202))
    p.box("b", 170, 176, 40, 12)
    p.box("b", 270, 176, 40, 12)
    p.line("n", 8, (196, 140), (90, 286))
    p.oval("n", 84, 294, 12, 24)
    for x in (40, 190, 330):
        p.arc("w", 4, x + 40, 296, 34, 8, 180, 360)


@drawing("roofbox")
def roofbox(p):
    p.shadow(240, 280, 190)
    p.line("g", 12, (70, 246), (410, 246))
    legs(p, "k", 26, 246, 272, 110, 370)
    p.half("c", 240, 226, 190, 110, 180, 360)
    p.box("c", 50, 222, 380, 16, 8)
    p.line("d", 3, (54, 216), (426, 216))
    p.box("w", 214, 156, 52, 10, 4)


@drawing("pram")
def pram(p):
    p.shadow(250, 308, 140)
    p.half("d", 240, 178, 110, 110, 180, 270)
    p.poly("c", (130, 178), (350, 178), (318, 244), (170, 244))
    p.half("c", 240, 178, 110, 106, 180, 300)
    p.line("k", 8, (330, 200), (400, 118), (416, 118))
    p.line("g", 8, (190, 244), (300, 286))
    p.line("g", 8, (300, 244), (190, 286))
    for x in (186, 306):
        p.ring("k", x, 280, 27, 9)


@drawing("walker")
def walker(p):
    p.shadow(240, 306, 120)
    p.line("c", 10, (170, 284), (190, 90), (160, 82))
    p.line("c", 10, (316, 284), (286, 90), (258, 82))
    p.box("k", 176, 176, 128, 16, 6)
    p.box("d", 182, 194, 116, 50, 8)
    for x in (168, 318):
        p.ring("k", x, 284, 22, 8)


# ---- rooms and houses


@drawing("house")
def house(p):
    p.shadow(240, 304, 190)
    p.box("e", 0, 296, 480, 70)
    p.box("c", 120, 160, 240, 140)
    p.poly("n", (96, 166), (240, 64), (384, 166))
    p.box("r", 300, 76, 28, 56)
    p.box("n", 216, 220, 48, 80)
    p.oval("y", 256, 262, 4)
    for x in (144, 292):
        p.box("w", x, 190, 46, 46)
        p.box("a", x + 4, 194, 17, 38)
        p.box("a", x + 25, 194, 17, 38)
    p.oval("e", 92, 274, 34, 40)
    p.oval("e", 396, 280, 28, 32)


@drawing("dollhouse")
def dollhouse(p):
    p.shadow(240, 306, 150)
    p.box("c", 130, 150, 220, 152)
    p.poly("d", (110, 154), (240, 60), (370, 154))
    for x, y, colour in ((142, 162, "w"), (246, 162, "y"), (142, 234, "a"), (246, 234, "w")):
        p.box(colour, x, y, 92, 58)
    p.box("b", 158, 196, 44, 22)
    p.box("b", 266, 262, 50, 8)
    legs(p, "b", 6, 268, 292, 272, 310)
    p.oval("r", 190, 270, 16)


@drawing("garage")
def garage(p):
    p.box("c", 90, 110, 300, 192)
    p.poly("d", (74, 116), (240, 66), (406, 116))
    p.box("w", 126, 156, 228, 146)
    for y in (186, 216, 246, 276):
        p.box("s", 126, y, 228, 4)
    p.box("g", 226, 288, 28, 6, 3)


@drawing("box")
def box(p):
    p.shadow(240, 306, 150)
    for x, y, size in ((110, 180, 120), (236, 190, 110), (172, 76, 106)):
        p.box("b", x, y, size, size, 4)
        p.box("n", x, y, size, 8)
        p.box("c", x + size / 2 - 10, y, 20, size)


@drawing("wardrobe")
def wardrobe(p):
    p.shadow(240, 312, 110)
    p.box("c", 146, 56, 188, 244, 6)
    p.box("d", 138, 48, 204, 16, 4)
    p.box("l", 156, 76, 80, 210)
    p.box("l", 244, 76, 80, 210)
    p.oval("k", 228, 186, 5)
    p.oval("k", 252, 186, 5)
    legs(p, "d", 16, 298, 312, 164, 316)


@drawing("sofa")
def sofa(p):
    p.shadow(240, 306, 184)
    legs(p, "n", 12, 280, 306, 92, 388)
    p.box("c", 84, 134, 312, 130, 26)
    p.box("d", 56, 180, 58, 108, 24)
    p.box("d", 366, 180, 58, 108, 24)
    p.box("l", 110, 212, 128, 46, 12)
    p.box("l", 242, 212, 128, 46, 12)
    p.box("d", 106, 256, 268, 32)
    p.poly("y", (128, 168), (180, 160), (186, 210), (134, 214))


@drawing("armchair")
def armchair(p):
    p.shadow(240, 310, 120)
    legs(p, "n", 12, 280, 310, 164, 316)
    p.box("c", 156, 84, 168, 180, 40)
    p.box("d", 126, 178, 56, 110, 24)
    p.box("d", 298, 178, 56, 110, 24)
    p.box("l", 178, 214, 124, 44, 14)
    p.box("d", 176, 254, 128, 34)


@drawing("table")
def table(p):
    p.shadow(240, 306, 180)
    legs(p, "d", 18, 180, 302, 98, 382)
    legs(p, "d", 14, 180, 284, 150, 330)
    p.box("c", 70, 164, 340, 20, 5)
    p.box("d", 92, 184, 296, 16)
    p.box("w", 214, 124, 40, 40, 8)
    p.oval("e", 234, 104, 30, 24)


@drawing("chair")
def chair(p):
    p.shadow(240, 308, 100)
    legs(p, "d", 12, 194, 304, 184, 296)
    legs(p, "d", 10, 194, 288, 210, 272)
    legs(p, "c", 12, 66, 196, 184, 296)
    for y in (72, 112, 150):
        p.box("c", 180, y, 120, 20, 8)
    p.box("c", 168, 186, 144, 20, 8)


@drawing("bench")
def bench(p):
    p.shadow(240, 304, 170)
    legs(p, "d", 16, 140, 300, 96, 384)
    for y in (128, 156, 184):
        p.box("c", 80, y, 320, 18, 5)
    p.box("c", 72, 220, 336, 22, 6)
    p.box("d", 84, 206, 32, 10, 4)
    p.box("d", 364, 206, 32, 10, 4)


@drawing("bed")
def bed(p):
    p.shadow(240, 304, 180)
    p.box("b", 68, 110, 20, 190, 6)
    p.box("b", 396, 180, 18, 120, 6)
    p.box("w", 80, 196, 322, 40, 12)
    p.box("w", 92, 164, 92, 44, 18)
    p.box("c", 176, 190, 228, 70, 12)
    p.box("d", 176, 190, 228, 18, 8)
    p.box("b", 80, 248, 324, 28, 4)


@drawing("shelf")
def shelf(p):
    p.shadow(240, 312, 120)
    p.box("c", 140, 56, 200, 250, 3)
    for y in (66, 126, 186, 246):
        p.box("d", 150, y, 180, 50)
    for x, y, h, colour in ((158, 76, 40, "r"), (174, 82, 34, "a"), (188, 74, 42, "y"), (280, 136, 40, "e"),
                            (296, 142, 34, "w"), (158, 198, 38, "b"), (174, 194, 42, "a")):
        p.box(colour, x, y, 12, h)
    p.oval("w", 300, 100, 16)
    p.box("b", 170, 266, 70, 30, 4)


@drawing("desk")
def desk(p):
    p.shadow(240, 306, 170)
    legs(p, "g", 14, 176, 302, 100, 380)
    p.box("c", 74, 160, 332, 18, 4)
    p.box("d", 286, 178, 94, 84, 4)
    p.box("w", 312, 196, 40, 6, 3)
    p.box("w", 312, 232, 40, 6, 3)
    p.box("k", 150, 82, 104, 66, 5)
    p.box("a", 156, 88, 92, 54)
    p.box("k", 194, 148, 16, 12)


@drawing("drawers")
def drawers(p):
    p.shadow(240, 310, 130)
    legs(p, "n", 14, 290, 308, 140, 340)
    p.box("c", 122, 100, 236, 194, 6)
    p.box("d", 114, 92, 252, 14, 4)
    for y in (116, 160, 204, 248):
        p.box("l", 134, y, 212, 38, 3)
        p.oval("n", 186, y + 19, 6)
        p.oval("n", 294, y + 19, 6)


@drawing("lamp")
def lamp(p):
    p.shadow(220, 308, 90)
    p.box("d", 150, 290, 130, 16, 8)
    p.line("g", 9, (214, 290), (160, 190), (270, 112))
    p.oval("g", 160, 190, 10)
    p.poly("y", (290, 150), (354, 120), (420, 250), (270, 270))
    p.poly("c", (248, 96), (296, 76), (362, 118), (286, 156))


@drawing("rug")
def rug(p):
    p.poly("c", (110, 120), (370, 120), (420, 300), (60, 300))
    p.poly("l", (130, 136), (350, 136), (390, 284), (90, 284))
    p.poly("c", (146, 150), (334, 150), (366, 270), (114, 270))
    for x in (180, 240, 300):
        p.poly("y", (x, 178), (x + 22, 210), (x, 242), (x - 22, 210))
    for x in range(64, 420, 12):
        p.line("w", 3, (x, 300), (x, 312))


@drawing("frame")
def frame(p):
    p.box("y", 140, 50, 200, 230, 8)
    p.box("n", 152, 62, 176, 206)
    p.box("w", 158, 68, 164, 194)
    p.box("a", 174, 84, 132, 96)
    p.box("c", 174, 180, 132, 66)
    p.poly("w", (220, 176), (248, 106), (248, 176))
    p.poly("b", (206, 182), (276, 182), (260, 200), (220, 200))


@drawing("mirror")
def mirror(p):
    p.oval("c", 240, 164, 110, 130)
    p.oval("d", 240, 164, 96, 116)
    p.oval("a", 240, 164, 90, 110)
    p.poly("w", (196, 90), (222, 74), (186, 226), (166, 196))
    p.poly("w", (250, 66), (264, 66), (212, 262), (202, 254))
    p.oval("c", 240, 32, 24, 18)


@drawing("mug")
def mug(p):
    p.shadow(230, 304, 130)
    p.ring("d", 330, 206, 50, 18)
    p.box("c", 140, 126, 180, 174, 22)
    p.oval("d", 230, 130, 90, 22)
    p.oval("n", 230, 132, 78, 16)
    p.box("l", 140, 190, 180, 16)
    for x in (200, 250):
        p.arc("w", 5, x, 88, 10, 18, 90, 270)


@drawing("clock")
def clock(p):
    p.shadow(240, 308, 110)
    p.poly("c", (150, 300), (166, 110), (314, 110), (330, 300))
    p.half("c", 240, 114, 74, 66, 180, 360)
    p.box("d", 134, 286, 212, 20, 6)
    p.oval("y", 240, 150, 58)
    p.oval("w", 240, 150, 50)
    p.line("k", 5, (240, 150), (240, 112))
    p.line("k", 5, (240, 150), (266, 162))
    p.line("y", 4, (240, 212), (240, 252))
    p.oval("y", 240, 258, 14)


# ---- appliances


@drawing("washer")
def washer(p):
    p.shadow(240, 310, 120)
    p.box("c", 132, 66, 216, 240, 10)
    p.box("d", 132, 66, 216, 42, 10)
    p.oval("w", 310, 87, 12)
    p.box("w", 148, 78, 70, 18, 4)
    p.oval("g", 240, 206, 78)
    p.oval("a", 240, 206, 60)
    p.half("w", 240, 206, 60, 60, 20, 160)


@drawing("dishwasher")
def dishwasher(p):
    p.shadow(240, 312, 130)
    p.box("c", 120, 70, 240, 236, 8)
    p.box("d", 120, 70, 240, 36, 8)
    p.box("g", 140, 124, 200, 166, 6)
    for y in (196, 280):
        p.box("s", 140, y, 200, 6)
    for x in range(160, 330, 28):
        p.half("w", x, 196, 24, 50, 200, 340)
        p.oval("a" if x % 3 else "y", x, 262, 10, 18)
    p.oval("e", 336, 88, 7)


@drawing("oven")
def oven(p):
    p.shadow(240, 310, 120)
    p.box("c", 132, 76, 216, 230, 8)
    p.box("d", 132, 76, 216, 40, 8)
    for x in (160, 190, 290, 320):
        p.oval("w", x, 96, 9)
    p.box("s", 152, 130, 176, 10, 5)
    p.box("k", 152, 152, 176, 126, 8)
    p.box("y", 166, 166, 148, 98, 4)
    for y in (196, 226):
        p.box("g", 166, y, 148, 4)
    p.oval("n", 240, 220, 44, 14)


@drawing("fridge")
def fridge(p):
    p.shadow(240, 314, 100)
    p.box("c", 158, 40, 164, 268, 12)
    p.box("d", 158, 130, 164, 5)
    p.box("g", 174, 70, 8, 48, 4)
    p.box("g", 174, 150, 8, 80, 4)
    p.box("r", 250, 70, 22, 18, 3)
    p.box("y", 278, 84, 24, 26, 2)
    p.box("a", 240, 160, 44, 34, 2)


@drawing("coffee")
def coffee(p):
    p.shadow(240, 310, 120)
    p.box("c", 140, 90, 200, 70, 14)
    p.box("d", 140, 150, 60, 150, 8)
    p.box("k", 140, 284, 200, 20, 6)
    p.box("s", 236, 158, 60, 18, 4)
    p.line("k", 12, (290, 168), (352, 168))
    p.box("w", 240, 226, 54, 56, 8)
    p.line("n", 5, (258, 180), (258, 226))
    p.line("n", 5, (276, 180), (276, 226))
    p.oval("w", 178, 124, 15)
    p.oval("r", 310, 116, 8)


@drawing("vacuum")
def vacuum(p):
    p.shadow(240, 308, 170)
    p.line("k", 13, (170, 220), (210, 110), (300, 80), (384, 284))
    p.poly("d", (340, 286), (430, 286), (440, 306), (336, 306))
    p.box("c", 80, 210, 170, 84, 40)
    p.oval("k", 112, 284, 26)
    p.oval("s", 112, 284, 11)
    p.oval("k", 224, 292, 15)
    p.box("l", 130, 224, 70, 24, 10)


@drawing("mixer")
def mixer(p):
    p.shadow(240, 308, 130)
    p.box("c", 130, 284, 220, 22, 10)
    p.box("c", 134, 150, 60, 146, 18)
    p.box("c", 130, 88, 220, 72, 34)
    p.box("s", 340, 108, 18, 32, 6)
    p.line("g", 8, (286, 160), (286, 216))
    p.poly("s", (224, 196), (348, 196), (326, 284), (246, 284))
    p.box("w", 222, 190, 128, 12, 5)


@drawing("heater")
def heater(p):
    p.shadow(240, 308, 140)
    for x in range(120, 350, 34):
        p.box("c", x, 110, 28, 180, 12)
    p.box("d", 114, 130, 246, 10)
    p.box("d", 114, 262, 246, 10)
    p.box("g", 338, 126, 32, 150, 8)
    p.oval("r", 354, 156, 9)
    p.oval("k", 140, 298, 12)
    p.oval("k", 330, 298, 12)


@drawing("fan")
def fan(p):
    p.shadow(240, 310, 90)
    p.box("g", 180, 294, 120, 14, 7)
    p.box("s", 234, 210, 12, 90)
    p.ring("g", 240, 136, 96, 6)
    for dx, dy in ((0, -1), (0.87, 0.5), (-0.87, 0.5)):
        p.oval("a", 240 + dx * 46, 136 + dy * 46, 36)
    p.ring("s", 240, 136, 60, 3)
    p.oval("k", 240, 136, 17)


@drawing("pan")
def pan(p):
    p.shadow(240, 290, 160)
    p.box("k", 340, 206, 110, 20, 10)
    p.poly("c", (84, 196), (350, 196), (326, 276), (110, 276))
    p.oval("d", 217, 196, 133, 26)
    p.oval("b", 217, 196, 116, 19)
    for x, y in ((170, 192), (210, 202), (250, 190), (290, 198), (140, 200)):
        p.oval("w", x, y, 13, 6)
    for x in (180, 250):
        p.arc("w", 5, x, 134, 10, 22, 90, 270)


# ---- electronics


@drawing("phone")
def phone(p):
    p.shadow(240, 320, 80)
    p.box("c", 170, 40, 140, 274, 22)
    p.box("k", 179, 50, 122, 254, 15)
    p.box("a", 184, 56, 112, 242, 11)
    p.oval("k", 240, 68, 5)
    for i in range(6):
        p.box(("w", "y", "e", "r", "w", "h")[i], 196 + i % 3 * 32, 96 + i // 3 * 38, 24, 24, 7)
    p.poly("e", (184, 262), (230, 210), (262, 240), (296, 206), (296, 290), (184, 290))


@drawing("case")
def case(p):
    for x, colour in ((96, "d"), (188, "c"), (280, "l")):
        p.box(colour, x, 70, 110, 224, 20)
        p.box("k", x + 12, 84, 36, 56, 12)
        p.oval("s", x + 30, 100, 9)
        p.oval("s", x + 30, 124, 9)


@drawing("cable")
def cable(p):
    p.shadow(240, 296, 130)
    for r in (84, 70, 56):
        p.ring("d" if r == 70 else "c", 240, 190, r, 10)
    p.line("c", 10, (310, 236), (372, 270))
    p.poly("g", (366, 256), (400, 274), (388, 296), (354, 278))
    p.poly("s", (396, 276), (418, 288), (410, 302), (388, 290))


@drawing("laptop")
def laptop(p):
    p.shadow(240, 296, 180)
    p.box("c", 112, 80, 256, 172, 12)
    p.box("k", 122, 90, 236, 150, 4)
    p.box("a", 128, 96, 224, 138)
    p.box("w", 150, 116, 110, 84, 4)
    for y in (130, 146, 162, 178):
        p.box("g", 162, y, 84, 6, 3)
    p.oval("y", 312, 136, 16)
    p.poly("c", (112, 252), (368, 252), (414, 286), (66, 286))
    p.poly("d", (130, 258), (350, 258), (366, 270), (114, 270))
    p.box("d", 66, 284, 348, 9, 4)


@drawing("tower")
def tower(p):
    p.shadow(240, 312, 90)
    p.box("c", 164, 56, 152, 250, 8)
    p.box("d", 180, 72, 120, 24, 4)
    p.oval("a", 290, 116, 8)
    p.ring("s", 240, 186, 48, 6)
    p.ring("a", 240, 186, 34, 5)
    p.oval("k", 240, 186, 11)
    for y in (256, 268, 280):
        p.box("d", 186, y, 108, 5)


@drawing("tablet", "monitor")
def tablet(p):
    p.shadow(240, 306, 120)
    p.box("c", 142, 60, 196, 240, 14)
    p.box("w", 156, 76, 168, 204, 4)
    for i, y in enumerate(range(96, 260, 18)):
        p.box("g", 172, y, 136 if i % 4 != 3 else 84, 6, 3)
    p.oval("s", 240, 290, 5)


@drawing("tv")
def tv(p):
    p.shadow(240, 304, 130)
    p.box("k", 60, 72, 360, 204, 8)
    p.box("a", 70, 82, 340, 176)
    p.poly("e", (70, 258), (160, 160), (230, 224), (310, 140), (410, 258))
    p.oval("y", 124, 122, 22)
    p.box("c", 60, 264, 360, 12, 5)
    legs(p, "k", 14, 276, 300, 140, 340)


@drawing("printer")
def printer(p):
    p.shadow(240, 302, 150)
    p.box("w", 166, 70, 148, 90)
    p.box("c", 104, 148, 272, 130, 14)
    p.box("d", 104, 148, 272, 30, 12)
    p.box("k", 144, 212, 192, 14, 4)
    p.poly("w", (156, 222), (324, 222), (340, 294), (140, 294))
    for y in (240, 254, 268):
        p.box("s", 170, y, 120, 5)
    p.oval("e", 350, 196, 7)


@drawing("chip")
def chip(p):
    p.shadow(240, 286, 170)
    p.box("c", 74, 130, 332, 120, 6)
    for x in range(96, 390, 20):
        p.box("y", x, 250, 12, 18)
    for x in (100, 174, 248, 322):
        p.box("k", x, 158, 56, 60, 4)
        p.box("g", x + 8, 168, 40, 5)
    p.oval("W", 74, 190, 9)


@drawing("keyboard")
def keyboard(p):
    p.shadow(240, 276, 190)
    p.box("c", 56, 130, 368, 138, 14)
    for row in range(4):
        for i in range(12):
            p.box("w" if (row, i) != (3, 0) else "r", 70 + i * 28.5, 144 + row * 29, 24, 24, 5)
    p.box("w", 156, 231, 166, 24, 5)


@drawing("mouse")
def mouse(p):
    p.shadow(240, 300, 90)
    p.line("k", 5, (240, 110), (252, 74), (220, 48), (236, 20))
    p.oval("c", 240, 200, 76, 98)
    p.line("d", 4, (240, 104), (240, 180))
    p.arc("d", 4, 240, 182, 74, 14, 0, 180)
    p.box("k", 231, 124, 18, 42, 9)


@drawing("router")
def router(p):
    p.shadow(240, 292, 150)
    for x in (140, 340):
        p.box("k", x - 6, 84, 12, 130, 6)
    p.box("c", 104, 206, 272, 76, 16)
    p.box("d", 104, 256, 272, 26, 12)
    for i in range(5):
        p.oval("e" if i != 3 else "y", 150 + i * 26, 236, 6)
    for r in (24, 44, 64):
        p.arc("a", 6, 240, 180, r, r, 225, 315)


@drawing("headphones")
def headphones(p):
    p.shadow(240, 308, 120)
    p.arc("c", 20, 240, 196, 110, 122, 180, 360)
    for x in (106, 318):
        p.box("d", x, 182, 56, 104, 24)
        p.box("k", x + (38 if x < 200 else -8), 190, 24, 88, 12)


@drawing("speaker")
def speaker(p):
    p.shadow(240, 312, 140)
    for x in (106, 256):
        p.box("c", x, 60, 118, 246, 8)
        p.box("d", x + 8, 68, 102, 230, 4)
        p.oval("k", x + 59, 118, 28)
        p.oval("s", x + 59, 118, 10)
        p.oval("k", x + 59, 222, 46)
        p.oval("g", x + 59, 222, 34)
        p.oval("k", x + 59, 222, 13)


@drawing("amp")
def amp(p):
    p.shadow(240, 308, 150)
    p.box("c", 110, 76, 260, 226, 14)
    p.box("y", 126, 92, 228, 40, 4)
    for x in range(146, 350, 34):
        p.oval("k", x, 112, 11)
    p.box("n", 126, 144, 228, 142, 4)
    for y in range(156, 282, 12):
        p.box("b", 126, y, 228, 3)
    p.box("k", 206, 58, 68, 14, 7)


@drawing("turntable")
def turntable(p):
    p.shadow(240, 304, 190)
    p.poly("c", (96, 120), (384, 120), (424, 276), (56, 276))
    p.box("d", 56, 276, 368, 22, 4)
    p.oval("k", 218, 196, 124, 62)
    p.oval("g", 218, 196, 84, 42)
    p.oval("k", 218, 196, 80, 39)
    p.oval("r", 218, 196, 38, 19)
    p.oval("w", 218, 196, 5, 3)
    p.oval("s", 366, 150, 20, 12)
    p.line("s", 6, (366, 148), (360, 214), (296, 224))


@drawing("vinyl")
def vinyl(p):
    p.shadow(240, 310, 150)
    p.oval("k", 292, 186, 108)
    for r in (92, 76, 60):
        p.ring("g", 292, 186, r, 2)
    p.oval("y", 292, 186, 36)
    p.box("c", 90, 72, 226, 228, 3)
    p.oval("l", 203, 178, 66)
    p.poly("d", (90, 262), (316, 214), (316, 300), (90, 300))


@drawing("disc")
def disc(p):
    p.shadow(240, 310, 130)
    p.oval("s", 306, 190, 92)
    p.oval("w", 306, 190, 26)
    p.oval("g", 306, 190, 11)
    p.box("c", 110, 66, 180, 238, 8)
    p.box("d", 110, 66, 18, 238, 6)
    p.box("w", 144, 84, 130, 40, 4)
    p.poly("l", (144, 284), (206, 158), (274, 284))
    p.oval("y", 248, 160, 16)


@drawing("camera")
def camera(p):
    p.shadow(240, 300, 150)
    p.box("d", 178, 84, 104, 50, 14)
    p.box("c", 90, 112, 300, 172, 22)
    p.box("s", 90, 124, 300, 26)
    p.oval("k", 236, 206, 78)
    p.oval("g", 236, 206, 62)
    p.oval("k", 236, 206, 46)
    p.oval("a", 220, 190, 14)
    p.box("w", 318, 162, 48, 24, 5)
    p.box("r", 116, 98, 34, 16, 5)


@drawing("lens")
def lens(p):
    p.shadow(240, 306, 110)
    p.box("c", 160, 76, 160, 226, 16)
    p.box("k", 152, 120, 176, 54, 6)
    for x in range(160, 324, 14):
        p.box("g", x, 122, 4, 50)
    p.box("r", 160, 196, 160, 7)
    p.oval("k", 240, 82, 80, 22)
    p.oval("a", 240, 82, 60, 15)
    p.box("s", 176, 292, 128, 14, 3)


@drawing("projector")
def projector(p):
    p.poly("y", (340, 190), (480, 96), (480, 284))
    p.shadow(220, 284, 150)
    p.box("c", 90, 150, 264, 116, 20)
    p.oval("k", 322, 204, 42)
    p.oval("a", 322, 204, 28)
    for x in range(116, 240, 18):
        p.box("d", x, 190, 8, 52, 4)
    p.box("k", 120, 266, 40, 14, 4)
    p.box("k", 290, 266, 40, 14, 4)


@drawing("drone")
def drone(p):
    p.shadow(240, 310, 110)
    p.line("c", 14, (110, 120), (240, 170), (370, 120))
    p.line("d", 14, (140, 226), (240, 180), (340, 226))
    p.box("c", 186, 140, 108, 66, 26)
    p.oval("k", 240, 206, 20)
    p.oval("a", 240, 206, 9)
    for x, y in ((110, 108), (370, 108), (140, 214), (340, 214)):
        p.oval("s", x, y, 62, 8)
        p.oval("k", x, y, 9)


@drawing("console")
def console(p):
    p.shadow(240, 290, 190)
    p.box("c", 56, 110, 80, 160, 34)
    p.box("r", 344, 110, 80, 160, 34)
    p.box("k", 108, 110, 264, 160, 8)
    p.box("a", 122, 124, 236, 132)
    p.poly("e", (122, 256), (190, 190), (250, 256))
    p.oval("y", 320, 152, 16)
    p.oval("k", 86, 150, 17)
    for dx, dy in ((0, -16), (0, 16), (16, 0), (-16, 0)):
        p.oval("w", 396 + dx, 156 + dy, 7)


@drawing("gamepad")
def gamepad(p):
    p.shadow(240, 296, 160)
    p.oval("c", 136, 226, 52, 70)
    p.oval("c", 344, 226, 52, 70)
    p.box("c", 112, 124, 256, 112, 50)
    p.box("k", 152, 156, 16, 50, 4)
    p.box("k", 135, 173, 50, 16, 4)
    for dx, dy, colour in ((0, -20, "y"), (0, 20, "e"), (20, 0, "r"), (-20, 0, "a")):
        p.oval(colour, 322 + dx, 180 + dy, 10)
    p.oval("k", 204, 222, 20)
    p.oval("k", 276, 222, 20)


@drawing("handheld")
def handheld(p):
    p.shadow(240, 318, 90)
    p.box("c", 160, 44, 160, 266, 18)
    p.box("k", 178, 62, 124, 108, 8)
    p.box("e", 192, 74, 96, 84)
    p.box("n", 226, 112, 26, 26)
    p.box("k", 180, 206, 50, 15, 3)
    p.box("k", 197, 189, 15, 50, 3)
    p.oval("r", 286, 200, 13)
    p.oval("r", 258, 218, 13)
    for x in (206, 240):
        p.box("d", x, 266, 26, 9, 4)


@drawing("vr")
def vr(p):
    p.shadow(240, 290, 150)
    p.arc("k", 18, 240, 160, 150, 84, 190, 350)
    p.box("c", 110, 130, 260, 136, 46)
    p.box("d", 138, 152, 204, 86, 34)
    for x in (170, 310):
        p.oval("k", x, 176, 11)
    p.oval("w", 240, 214, 9)


@drawing("watch")
def watch(p):
    p.box("d", 202, 24, 76, 90, 10)
    p.box("d", 202, 240, 76, 96, 10)
    for y in (270, 290, 310):
        p.oval("k", 240, y, 5)
    p.oval("s", 240, 178, 90)
    p.oval("w", 240, 178, 76)
    p.box("s", 326, 168, 16, 20, 4)
    for dx, dy in ((0, -1), (1, 0), (0, 1), (-1, 0)):
        p.oval("k", 240 + dx * 62, 178 + dy * 62, 5)
    p.line("k", 6, (240, 178), (240, 130))
    p.line("k", 6, (240, 178), (276, 194))
    p.line("r", 3, (240, 178), (206, 220))


@drawing("battery")
def battery(p):
    p.shadow(240, 302, 120)
    for x in (130, 252):
        p.box("k", x + 30, 80, 40, 20, 4)
        p.box("c", x, 96, 100, 204, 10)
        p.box("y", x, 96, 100, 54, 10)
        p.poly("w", (x + 58, 168), (x + 26, 226), (x + 48, 226), (x + 40, 276), (x + 76, 208), (x + 54, 208))
