"""The sample garments: a striped T-shirt, jeans and a dotted dress, each on white."""

from PIL import Image

from scripts.samples.brush import Canvas, Point, both, inside, mirrored, smooth, without

_WHITE = (255, 255, 255)
_DARK = (24, 22, 48)


def upper() -> Image.Image:
    """Draw the T-shirt, 800 x 800."""
    middle = 400.0
    canvas = Canvas(800, 800, _WHITE)
    torso_half: list[Point] = [
        (322, 78), (300, 84), (240, 106), (214, 150), (222, 240), (234, 330), (238, 450), (236, 560), (230, 690),
        (236, 716), (300, 724), (380, 727),
    ]  # fmt: skip
    torso = canvas.mask(smooth(mirrored(torso_half, middle)))
    neck = canvas.oval((middle, 74), (84, 74))
    torso = without(torso, neck)
    green, cream, rib = (22, 120, 116), (250, 222, 164), (240, 122, 84)
    sleeves: list[Image.Image] = []
    cuffs: list[Image.Image] = []
    for sign in (1, -1):
        outline = [
            (middle - sign * x, y)
            for x, y in [
                (150, 100),
                (196, 132),
                (236, 196),
                (282, 302),
                (274, 318),
                (230, 338),
                (194, 342),
                (176, 300),
                (164, 220),
            ]
        ]
        sleeve = without(canvas.mask(smooth(outline)), neck)
        sleeves.append(sleeve)
        cuff = canvas.limb([(middle - sign * 280, 308), (middle - sign * 192, 344)], [24, 24])
        cuffs.append(inside(cuff, sleeve))
    whole = both(torso, *sleeves)
    canvas.paint(whole, green)
    for row in range(10):
        y = 178 + row * 54
        stripe = canvas.line([(150, y + 6), (280, y + 4), (400, y + 9), (520, y + 4), (650, y + 6)], 22)
        canvas.paint(inside(stripe, torso), cream)
    for sleeve, sign in zip(sleeves, (1, -1), strict=True):
        canvas.paint(without(sleeve, inside(torso, canvas.mask([(222, 0), (578, 0), (578, 800), (222, 800)]))), green)
        for row in range(4):
            y = 150 + row * 52
            stripe = canvas.line([(middle - sign * 300, y + 36), (middle - sign * 170, y - 16)], 22)
            canvas.paint(inside(stripe, without(sleeve, torso)), cream)
    for cuff in cuffs:
        canvas.paint(cuff, rib)
    for sign in (1, -1):
        seam: list[Point] = [(middle - sign * 166, 116), (middle - sign * 186, 190), (middle - sign * 178, 330)]
        canvas.shade(canvas.line(seam, 12), whole, _DARK, 0.42, 5)
        canvas.shade(canvas.line([(middle - sign * 168, 360), (middle - sign * 160, 700)], 40), torso, _DARK, 0.34, 20)
        fold: list[Point] = [(middle - sign * 150, 350), (middle - sign * 90, 400), (middle - sign * 40, 410)]
        canvas.shade(canvas.line(fold, 14), torso, _DARK, 0.24, 9)
        hem: list[Point] = [(middle - sign * 130, 600), (middle - sign * 70, 640), (middle - sign * 20, 650)]
        canvas.shade(canvas.line(hem, 14), torso, _DARK, 0.18, 10)
        canvas.shade(canvas.line([(middle - sign * 60, 200), (middle - sign * 50, 560)], 36), torso, _WHITE, 0.16, 22)
    canvas.paint(inside(without(canvas.oval((middle, 76), (106, 98)), neck), both(torso, *sleeves)), rib)
    canvas.paint(
        inside(canvas.line([(220, 704), (300, 712), (400, 715), (500, 712), (580, 704)], 2.6), torso), _DARK, 0.5
    )
    return canvas.finished()


def lower() -> Image.Image:
    """Draw the jeans, 640 x 900."""
    middle = 320.0
    canvas = Canvas(640, 900, _WHITE)
    denim, thread, light = (52, 86, 140), (226, 168, 92), (132, 164, 208)
    half: list[Point] = [
        (196, 60),
        (190, 100),
        (174, 170),
        (160, 260),
        (158, 400),
        (164, 560),
        (170, 700),
        (172, 832),
        (176, 846),
    ]
    left = [*half, (286, 850), (292, 836), (296, 700), (304, 520), (314, 320), (320, 292), (320, 60)]
    right = [(2 * middle - x, y) for x, y in left]
    legs = both(canvas.mask(left), canvas.mask(right))
    legs = both(legs, canvas.mask(smooth([(160, 258), (320, 240), (480, 258), (320, 300)])))
    canvas.paint(legs, denim)
    for sign in (-1, 1):
        canvas.shade(
            canvas.limb(
                [(middle + sign * 84, 200), (middle + sign * 88, 420), (middle + sign * 86, 700)], [70, 60, 46]
            ),
            legs,
            light,
            0.55,
            26,
        )
        canvas.shade(
            canvas.line([(middle + sign * 150, 150), (middle + sign * 158, 500), (middle + sign * 150, 840)], 22),
            legs,
            _DARK,
            0.42,
            12,
        )
        canvas.shade(canvas.line([(middle + sign * 8, 300), (middle + sign * 24, 840)], 26), legs, _DARK, 0.4, 13)
        for y, reach in ((306, 74), (330, 54), (560, 40), (580, 60)):
            crease: list[Point] = [(middle + sign * 24, y), (middle + sign * (24 + reach), y + 10)]
            canvas.shade(canvas.line(crease, 6), legs, _DARK, 0.3, 4)
        pocket: list[Point] = [(middle + sign * 66, 104), (middle + sign * 84, 150), (middle + sign * 140, 168)]
        canvas.paint(inside(canvas.line(pocket, 3), legs), thread)
        canvas.shade(canvas.line([(x, y + 6) for x, y in pocket], 6), legs, _DARK, 0.4, 3)
        turn_up = canvas.mask(
            [
                (middle + sign * 28, 818),
                (middle + sign * 150, 812),
                (middle + sign * 152, 852),
                (middle + sign * 26, 856),
            ]
        )
        canvas.paint(inside(turn_up, legs), light, 0.75)
        canvas.paint(inside(canvas.line([(middle + sign * 20, 818), (middle + sign * 156, 812)], 3), legs), _DARK, 0.4)
    canvas.paint(inside(canvas.line([(320, 104), (320, 300)], 3), legs), _DARK, 0.55)
    canvas.paint(canvas.line([(340, 108), (342, 190), (324, 244)], 2.6), thread)
    band = inside(canvas.mask([(0, 50), (640, 50), (640, 104), (0, 104)]), legs)
    canvas.paint(band, (42, 70, 118))
    canvas.paint(inside(canvas.line([(150, 104), (490, 104)], 2.6), legs), thread)
    for x in (222, 266, 374, 418):
        canvas.paint(canvas.mask([(x - 6, 54), (x + 6, 54), (x + 6, 110), (x - 6, 110)]), denim)
        canvas.paint(canvas.line([(x - 5, 64), (x - 5, 104)], 1.6), thread, 0.8)
        canvas.paint(canvas.line([(x + 5, 64), (x + 5, 104)], 1.6), thread, 0.8)
    canvas.paint(canvas.oval((320, 82), (11, 11)), (196, 150, 84))
    canvas.paint(canvas.oval((318, 80), (6, 6)), (236, 204, 148))
    return canvas.finished()


def dress() -> Image.Image:
    """Draw the dress, 720 x 820."""
    middle = 360.0
    canvas = Canvas(720, 820, _WHITE)
    berry, dot, belt = (190, 38, 82), (255, 214, 190), (84, 20, 54)
    half: list[Point] = [
        (306, 52), (284, 56), (244, 74), (238, 120), (248, 190), (258, 240), (263, 300), (258, 350), (238, 430),
        (206, 530), (172, 630), (148, 708), (152, 728), (220, 748), (300, 758),
    ]  # fmt: skip
    neck = canvas.oval((middle, 50), (50, 62))
    body = without(canvas.mask(smooth(mirrored(half, middle))), neck)
    sleeves: list[Image.Image] = []
    for sign in (1, -1):
        cap = [(94, 56), (130, 74), (164, 128), (182, 186), (156, 202), (116, 198), (108, 140)]
        sleeves.append(canvas.mask(smooth([(middle - sign * x, y) for x, y in cap])))
    whole = both(body, *sleeves)
    canvas.paint(whole, berry)
    dots: list[tuple[Point, Point]] = []
    for row in range(16):
        for column in range(17):
            x = 80 + column * 36 + (18 if row % 2 else 0)
            y = 66 + row * 44 + 14 * abs(x - middle) / 300
            radius = 5.0 + max(0.0, y - 330) / 160
            dots.append(((x, y), (radius, radius)))
    canvas.paint(inside(canvas.ovals(dots), whole), dot)
    for sign in (1, -1):
        seam: list[Point] = [(middle - sign * 108, 72), (middle - sign * 118, 130), (middle - sign * 110, 194)]
        canvas.shade(canvas.line(seam, 10), whole, _DARK, 0.45, 4)
        canvas.shade(canvas.line([(middle - sign * 100, 200), (middle - sign * 92, 300)], 26), body, _DARK, 0.38, 12)
        for near, far in ((20, 58), (52, 124), (80, 188)):
            pleat: list[Point] = [
                (middle - sign * near, 330),
                (middle - sign * (near + far) / 2, 540),
                (middle - sign * far, 752),
            ]
            canvas.shade(canvas.limb(pleat, [5, 14, 26]), body, _DARK, 0.4, 9)
            ridge: list[Point] = [(x + sign * 24, y) for x, y in pleat[1:]]
            canvas.shade(canvas.limb(ridge, [10, 22]), body, _WHITE, 0.2, 10)
    canvas.paint(inside(canvas.limb([(240, 306), (middle, 314), (480, 306)], [30, 30, 30]), body), belt)
    for sign in (1, -1):
        bow = [(0, 312), (34, 288), (44, 310), (32, 330)]
        canvas.paint(canvas.mask(smooth([(middle - sign * x, y) for x, y in bow])), belt)
        canvas.paint(
            canvas.limb([(middle - sign * x, y) for x, y in ((0, 316), (16, 360), (26, 398))], [9, 13, 17]), belt
        )
    canvas.paint(canvas.oval((middle, 312), (10, 11)), (122, 34, 76))
    canvas.paint(inside(without(canvas.oval((middle, 50), (61, 73)), neck), whole), belt)
    hem: list[Point] = [(140, 708), (220, 734), (middle, 746), (500, 734), (580, 708)]
    canvas.paint(inside(canvas.line(hem, 3), body), _DARK, 0.45)
    return canvas.finished()
