"""What stands over and under each figure of the page: a title, and how to read it."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """Words for one figure; ``wide`` gives it the whole width of the page."""

    title: str
    text: str
    wide: bool = False


CAPTIONS = {
    "auroc": Caption(
        "How well each method separates",
        "AUROC is the chance that a random anomalous image scores above a random normal one. Bars start "
        "at 0.5, mere guessing. Thin lines are 95 % bootstrap intervals: methods whose lines overlap "
        "widely may be equally good. The method in use is blue.",
    ),
    "roc": Caption(
        "Found anomalies against false alarms",
        "Each point of a curve is one possible threshold: the closer to the upper left corner, the "
        "better. The dot is the threshold in use, the band the 95 % bootstrap interval of the method in "
        "use. AUROC in brackets, best first.",
    ),
    "scores": Caption(
        "Scores of normal and anomalous images",
        "The less the two colours overlap, the better. Images right of the dashed line were flagged. "
        "Hatched bars set apart at an end count all images beyond the axis; none is left out.",
        wide=True,
    ),
    "reconstructions": Caption(
        "What the model makes of an image",
        "What the network rebuilds of an image, and by how much every place is off. Where it was tuned on the normal "
        "images (tuning one-class), what it cannot rebuild is unlike them; else it may rebuild a defect as well as the "
        "rest. Only the score reconstruction reads this. All differences share one scale; rows run evenly from high "
        "scores to low.",
        wide=True,
    ),
    "heat_maps": Caption(
        "Where the model sees the anomaly",
        "The brighter a place, the less it is like normal images, by the score named under the scale: the one in use "
        "where it tells places apart, else one that does. The heat of combined is its parts multiplied place by place; "
        "one that judges a whole tile or image brightens all of it. One colour scale serves the whole data set, so "
        "that pictures can be compared. A light blue line, where there is one, is the true outline.",
        wide=True,
    ),
}

DESCENT_CAPTIONS = {
    "energy": Caption(
        "Energy and force",
        "How far the energy and its two parts have fallen since the start; attention draws tokens together, memory "
        "draws them to stored patterns. Below, the force; it need not end, for its part along a token's own length "
        "moves nothing that the energy sees.",
    ),
    "attention": Caption(
        "Where hidden patches look",
        "Three hidden patches, spread evenly, at the first, middle and last state; bright patches have most of their "
        "attention. One colour scale for all.",
    ),
    "norms": Caption(
        "Tokens, one a row",
        "Their length at every step, and how far each moved in it; 1 value in 100 may lie beyond the brightest colour. "
        "Hidden patches, above the light blue line, start from nothing but their position.",
        wide=True,
    ),
    "memories": Caption(
        "Which memories pull them",
        "The same patches first and last: the picture, what the patch's token shows, and the memories that pull it "
        "most, over each its strength: its weight in the force on the token, without unit. A memory is drawn as what a "
        "step towards it adds to the patch, grey being nothing, scaled to its own largest value; one that does not "
        "pull is left out.",
        wide=True,
    ),
}
