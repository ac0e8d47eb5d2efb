"""The sample person: standing, seen from the front, in plain sportswear, before a plain wall."""

from PIL import Image

from scripts.samples.brush import Canvas, Point, both, inside, mirrored, smooth, without

_MIDDLE = 384.0
_WALL = (234, 227, 218)
_ARCH = (243, 238, 231)
_SKIN = (225, 168, 132)
_SKIN_SHADE = (190, 124, 92)
_BLUSH = (226, 118, 100)
_HAIR = (62, 38, 34)
_HAIR_LIGHT = (112, 72, 58)
_TOP = (170, 184, 206)
_SHORTS = (124, 138, 156)
_SHADE = (70, 60, 80)
_SHOE = (252, 250, 246)
_SOLE = (216, 120, 92)


def person() -> Image.Image:
    """Draw the person, 768 x 1080."""
    canvas = Canvas(768, 1080, _WALL)
    canvas.paint(both(canvas.oval((_MIDDLE, 330), (250, 250)), canvas.mask(_box(134, 330, 634, 1000))), _ARCH)
    everything = canvas.mask(_box(0, 0, 768, 1080))
    canvas.shade(canvas.oval((_MIDDLE, 978), (130, 12)), everything, (150, 130, 115), 0.28, 8)
    _legs(canvas)
    _body(canvas)
    _arms(canvas)
    _head(canvas)
    return canvas.finished()


def _box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _across(points: list[Point]) -> list[Point]:
    return [(2 * _MIDDLE - x, y) for x, y in points]


def _legs(canvas: Canvas) -> None:
    left: list[Point] = [(342, 525), (335, 640), (334, 745), (332, 840), (330, 930)]
    widths = [84, 80, 62, 58, 36]
    for side in (left, _across(left)):
        leg = canvas.limb(side, widths)
        canvas.paint(leg, _SKIN)
        knee = side[2]
        canvas.shade(
            canvas.line([(knee[0] - 14, knee[1] + 12), (knee[0] + 14, knee[1] + 12)], 8), leg, _SKIN_SHADE, 0.4, 5
        )
    inner = canvas.limb([(_MIDDLE, 560), (_MIDDLE, 940)], [26, 70])
    both_legs = both(canvas.limb(left, widths), canvas.limb(_across(left), widths))
    canvas.shade(inner, both_legs, _SKIN_SHADE, 0.5, 9)
    for sign in (-1, 1):
        shoe = canvas.mask(
            smooth(
                [
                    (_MIDDLE + sign * x, y)
                    for x, y in [(34, 928), (34, 952), (32, 972), (52, 978), (84, 976), (92, 962), (78, 944), (73, 928)]
                ]
            )
        )
        canvas.paint(shoe, _SHOE)
        canvas.paint(inside(canvas.mask(_box(0, 966, 768, 1000)), shoe), _SOLE)
        canvas.shade(canvas.line([(_MIDDLE + sign * 44, 932), (_MIDDLE + sign * 66, 932)], 10), shoe, _SHADE, 0.35, 4)
        for y in (940, 949):
            canvas.paint(canvas.line([(_MIDDLE + sign * 46, y), (_MIDDLE + sign * 64, y - 1)], 2.6), (206, 200, 194))


def _body(canvas: Canvas) -> None:
    half: list[Point] = [
        (364, 196), (363, 220), (350, 234), (312, 247), (292, 268), (298, 310), (309, 350), (316, 395),
        (318, 425), (310, 470), (300, 520), (300, 560), (342, 570),
    ]  # fmt: skip
    body = canvas.mask(smooth(mirrored(half, _MIDDLE)))
    canvas.paint(body, _SKIN)
    canvas.shade(canvas.oval((_MIDDLE, 206), (34, 24)), body, _SKIN_SHADE, 0.75, 7)
    for sign in (-1, 1):
        bone: list[Point] = [(_MIDDLE + sign * 12, 251), (_MIDDLE + sign * 40, 246), (_MIDDLE + sign * 66, 248)]
        canvas.paint(canvas.line(bone, 2.4), _SKIN_SHADE, 0.45)

    shorts = both(
        inside(canvas.mask(_box(200, 452, 600, 571)), body),
        canvas.mask(
            [
                (300, 530),
                (293, 560),
                (290, 628),
                (376, 632),
                (383, 576),
                (385, 576),
                (392, 632),
                (478, 628),
                (475, 560),
                (468, 530),
            ]
        ),
    )
    canvas.paint(shorts, _SHORTS)
    canvas.shade(canvas.line([(_MIDDLE, 540), (_MIDDLE, 640)], 16), shorts, _SHADE, 0.4, 7)
    canvas.paint(canvas.line([(_MIDDLE, 500), (_MIDDLE, 572)], 2.2), _SHADE, 0.3)

    neckline = canvas.oval((_MIDDLE, 240), (50, 64))
    armholes = both(canvas.oval((286, 268), (34, 56)), canvas.oval((482, 268), (34, 56)))
    top = inside(canvas.mask(_box(200, 238, 600, 482)), body)
    top = without(top, both(neckline, armholes))
    canvas.paint(top, _TOP)
    canvas.shade(canvas.line([(314, 330), (324, 400), (316, 470)], 20), top, _SHADE, 0.22, 12)
    canvas.shade(canvas.line([(454, 330), (444, 400), (452, 470)], 20), top, _SHADE, 0.22, 12)
    canvas.shade(canvas.line([(340, 352), (372, 362)], 8), top, _SHADE, 0.14, 6)
    canvas.shade(canvas.line([(428, 352), (396, 362)], 8), top, _SHADE, 0.14, 6)
    hem = canvas.line([(296, 480), (_MIDDLE, 484), (472, 480)], 3)
    canvas.paint(inside(hem, body), _SHADE, 0.22)


def _arms(canvas: Canvas) -> None:
    joints: list[Point] = [(307, 272), (277, 345), (257, 420), (241, 490), (232, 548)]
    widths = [48, 45, 36, 32, 24]
    for sign in (1, -1):
        line = joints if sign > 0 else _across(joints)
        arm = canvas.limb(line, widths)
        wrist = line[-1]
        hand = both(
            canvas.limb([wrist, (wrist[0] - sign * 5, 574), (wrist[0] - sign * 5, 602)], [24, 29, 15]),
            canvas.limb([(wrist[0] + sign * 6, 562), (wrist[0] + sign * 14, 586)], [13, 9]),
        )
        whole = both(arm, hand)
        canvas.paint(whole, _SKIN)
        inner = canvas.limb([(x + sign * 18, y) for x, y in line[1:]], [14, 14, 12, 8])
        canvas.shade(inner, whole, _SKIN_SHADE, 0.45, 8)
        finger: list[Point] = [(wrist[0] - sign * 5, 588), (wrist[0] - sign * 5, 604)]
        canvas.paint(inside(canvas.line(finger, 1.8), whole), _SKIN_SHADE, 0.6)


def _head(canvas: Canvas) -> None:
    back = both(canvas.oval((_MIDDLE, 132), (66, 70)), canvas.oval((_MIDDLE, 62), (31, 28)))
    canvas.paint(back, _HAIR)
    canvas.paint(canvas.line([(364, 52), (378, 44), (398, 46)], 3), _HAIR_LIGHT, 0.6)
    for sign in (-1, 1):
        canvas.paint(canvas.oval((_MIDDLE + sign * 58, 148), (10, 15)), _SKIN)
        canvas.paint(canvas.oval((_MIDDLE + sign * 60, 167), (4, 4)), (240, 190, 90))
    face_half: list[Point] = [(384, 84), (344, 94), (327, 128), (330, 162), (346, 192), (370, 209)]
    face = canvas.mask(smooth(mirrored(face_half[1:], _MIDDLE)))
    canvas.paint(face, _SKIN)
    for sign in (-1, 1):
        canvas.shade(canvas.oval((_MIDDLE + sign * 33, 172), (13, 8)), face, _BLUSH, 0.65, 5)
        eye = canvas.oval((_MIDDLE + sign * 22, 148), (6, 7.5))
        canvas.paint(eye, (44, 28, 28))
        canvas.paint(canvas.oval((_MIDDLE + sign * 22 + 2, 145), (2.1, 2.1)), (255, 255, 255))
        brow: list[Point] = [(_MIDDLE + sign * 12, 130), (_MIDDLE + sign * 22, 126), (_MIDDLE + sign * 33, 130)]
        canvas.paint(canvas.line(brow, 4), _HAIR)
        lash: list[Point] = [(_MIDDLE + sign * 26, 142), (_MIDDLE + sign * 31, 140)]
        canvas.paint(canvas.line(lash, 2.4), (44, 28, 28))
    canvas.paint(canvas.line([(382, 158), (379, 167), (385, 170)], 2.6), _SKIN_SHADE)
    smile = without(canvas.oval((_MIDDLE, 176), (20, 18)), canvas.mask(_box(300, 150, 500, 179)))
    canvas.paint(smile, (176, 62, 62))
    canvas.paint(inside(smile, canvas.mask(_box(350, 170, 418, 183))), (255, 250, 246))
    fringe = canvas.mask(
        smooth(
            [
                (322, 146),
                (320, 106),
                (346, 76),
                (384, 66),
                (424, 77),
                (448, 106),
                (446, 146),
                (436, 120),
                (412, 98),
                (378, 112),
                (342, 118),
            ]
        )
    )
    canvas.paint(fringe, _HAIR)
    canvas.paint(canvas.line([(352, 92), (380, 82), (408, 86)], 4), _HAIR_LIGHT, 0.5)
