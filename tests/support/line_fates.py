"""What may befall a wish of the line on its way, by a name that says it."""

from tests.support.creates_kling import Fate

FATES = {
    "answered": Fate(),
    "lost, made": Fate(lost=True),
    "lost, not made": Fate(made=False, lost=True),
    "busy": Fate((429, 1303), made=False),
    "too fast": Fate((429, 1302), made=False),
    "busy, made all the same": Fate((429, 1303)),
    "against the policy": Fate((400, 1301), made=False),
    "frozen before the mark": Fate(stop="before the mark"),
    "frozen when it is made": Fate(stop="made"),
    "killed before the mark": Fate(stop="before the mark", for_good=True),
    "killed under way": Fate(stop="under way", for_good=True),
    "killed when it is made": Fate(stop="made", for_good=True),
}
