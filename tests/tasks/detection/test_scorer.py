"""The scorer: local methods draw the heat maps, and the worst place or view is the score of the image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.data.views import Canvas, Viewing
from attractor.models import Selyne, SelyneConfig
from attractor.tasks.detection.scorer import ImageScorer, shown, smooth

CONFIG = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=3, prototypes=2)


def looked_at(sizes: list[tuple[int, int]], seed: int) -> tuple[list[Canvas], Tensor]:
    viewing = Viewing((16, 16), tiles=True)
    canvases = [Canvas(i, size, size, viewing.origins(*size), overview=True) for i, size in enumerate(sizes)]
    count = sum(canvas.views for canvas in canvases)
    generator = torch.Generator().manual_seed(seed)
    return canvases, torch.randint(256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


@pytest.fixture
def scorer() -> ImageScorer:
    torch.manual_seed(0)
    scorer = ImageScorer(Selyne(CONFIG).eval(), Viewing((16, 16), tiles=True), damage=True).eval()
    for seed in range(3):
        scorer.update(*looked_at([(32, 32), (16, 40)], seed))
    scorer.finish()
    return scorer


def test_local_methods_give_a_smooth_heat_map_of_every_canvas(scorer: ImageScorer) -> None:
    sizes = [(16, 16), (40, 24), (16, 33)]
    scores, heats = scorer(*looked_at(sizes, 9))
    assert set(heats) == {"patches", "damage", "combined"} and set(scores) == set(scorer.names)
    for name, maps in heats.items():
        assert [tuple(heat.shape) for heat in maps] == sizes
        if name != "combined":
            assert all(score > heat.max() for score, heat in zip(scores[name], maps, strict=True))


def test_the_heat_of_combined_multiplies_its_parts_place_by_place(scorer: ImageScorer) -> None:
    canvases, views = looked_at([(16, 16), (32, 24)], 9)
    heats = scorer(canvases, views)[1]
    features = scorer.features(views)
    knn, levels = scorer.methods["knn"](features), scorer.methods["levels"](features)
    local = heats["damage"][0].double().exp().log1p()
    expected = (knn[0] * levels[1] * local).pow(1 / 3)  # of the one tile, of the whole image, of every place
    torch.testing.assert_close(heats["combined"][0].double(), expected, rtol=1e-3, atol=1e-6)
    tiles = slice(2, -1)
    for row, column, tile in ((0, 0, 0), (31, 23, -1)):  # corners, which no other tile covers
        place = heats["damage"][1][row, column].double().exp().log1p()
        expected = (knn[tiles][tile] * levels[-1] * place).pow(1 / 3)
        torch.testing.assert_close(heats["combined"][1][row, column].double(), expected, rtol=1e-3, atol=1e-6)
    del scorer.methods["damage"]
    assert "combined" not in scorer(canvases, views)[1]  # nothing would tell the places of a tile apart


def test_local_methods_score_by_the_worst_place(scorer: ImageScorer) -> None:
    canvases, views = looked_at([(16, 16), (32, 40)], 9)
    scores, first = scorer(canvases, views)[0], canvases[0].views
    maps = scorer.methods["patches"](scorer.features(views))
    tiles = maps[: first - 1], maps[first:-1]  # without the overviews
    worst = [scorer.stitched(m, canvas, (4, 4)).max() for m, canvas in zip(tiles, canvases, strict=True)]
    assert torch.equal(scores["patches"], torch.stack(worst))


def test_global_methods_take_the_worst_view(scorer: ImageScorer) -> None:
    canvases, views = looked_at([(16, 24), (32, 16)], 9)
    each = scorer.methods["knn"](scorer.features(views))
    first = canvases[0].views
    worst = torch.stack([each[: first - 1].max(), each[first:-1].max()])
    torch.testing.assert_close(scorer(canvases, views)[0]["knn"], worst, rtol=1e-3, atol=1e-6)


def test_levels_are_of_the_whole_image(scorer: ImageScorer) -> None:
    canvases, views = looked_at([(16, 24), (32, 16)], 9)
    overviews = views[[canvases[0].views - 1, -1]]
    expected = scorer.methods["levels"](scorer.features(overviews))
    torch.testing.assert_close(scorer(canvases, views)[0]["levels"], expected, rtol=1e-3, atol=1e-6)


def test_levels_are_fitted_on_whole_images_and_neighbours_on_tiles(scorer: ImageScorer) -> None:
    alone = ImageScorer(scorer.model, Viewing((16, 16))).eval()
    tiles = ImageScorer(scorer.model, Viewing((16, 16))).eval()
    for seed in range(3):
        canvases, views = looked_at([(32, 32), (16, 40)], seed)
        last = [canvases[0].views - 1, canvases[0].views + canvases[1].views - 1]
        rest = [i for i in range(len(views)) if i not in last]
        for fitted, at in ((alone, last), (tiles, rest)):
            fitted.update([Canvas(0, (16, 16), (16, 16), [(0, 0)]) for _ in at], views[at])
    alone.finish()
    tiles.finish()
    views = looked_at([(16, 16)], 9)[1]
    features = scorer.features(views)
    for name, other in (("levels", alone), ("knn", tiles)):
        torch.testing.assert_close(scorer.methods[name](features), other.methods[name](features), rtol=1e-3, atol=1e-6)


def test_combined_with_tiles_is_of_neighbours_levels_and_damage(scorer: ImageScorer) -> None:
    scores, _ = scorer(*looked_at([(16, 24), (32, 16)], 9))
    product = scores["knn"] * scores["levels"] * scores["damage"]
    torch.testing.assert_close(scores["combined"], product ** (1 / 3))


def test_damage_judges_tiles_one_by_one(scorer: ImageScorer) -> None:
    canvases, views = looked_at([(16, 24), (32, 16)], 9)
    method, first = scorer.methods["damage"], canvases[0].views
    each = method.of_views(method(scorer.features(views)))
    worst = torch.stack([each[: first - 1].max(), each[first:-1].max()])
    torch.testing.assert_close(scorer(canvases, views)[0]["damage"], worst, rtol=1e-4, atol=1e-6)


def test_a_map_is_highest_where_its_patches_score_highest(scorer: ImageScorer) -> None:
    maps = torch.zeros(1, 16, dtype=torch.float64)
    maps[0, 6] = 1.0  # second row, third column of patches of 4 pixels
    row, column = divmod(int(scorer.stitched(maps, Canvas(0, (16, 16), (16, 16), [(0, 0)]), (4, 4)).argmax()), 16)
    assert 4 <= row < 8 and 8 <= column < 12


def test_smoothing_keeps_a_constant_and_spreads_a_point() -> None:
    torch.testing.assert_close(smooth(torch.full((9, 30), 2.0), 4.0), torch.full((9, 30), 2.0))
    point = torch.zeros(31, 31)
    point[15, 15] = 1.0
    spread = smooth(point, 2.0)
    assert spread.sum() == pytest.approx(1.0, abs=1e-4) and spread.argmax() == 15 * 31 + 15
    assert spread[15, 17] / spread[15, 15] == pytest.approx(2.718 ** (-4 / 8), rel=1e-3)


def test_shown_is_the_deciding_method_where_it_is_local() -> None:
    tiles, whole = {"patches": 1, "damage": 2, "combined": 3}, {"patches": 1, "places": 4}
    assert shown({"patches": 1}, "combined") == shown({"patches": 1}, "knn") == 1
    assert [shown(tiles, name) for name in ("damage", "patches", "combined", "knn")] == [2, 1, 3, 3]
    assert [shown(whole, name) for name in ("places", "patches", "combined", "knn")] == [4, 1, 4, 4]
