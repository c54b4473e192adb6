"""Pictures share one scale and never pick the prettiest."""

from dataclasses import replace

import numpy as np

from attractor.report.pictures import difference, heat_limits, heat_maps, overlay, reconstructions


def test_overlay_is_grey_where_cold_and_coloured_where_hot(evaluation):
    heat = np.zeros((24, 32), dtype=np.float32)
    heat[0, 0] = 100.0
    picture = overlay(evaluation.examples[0].original, heat, (0.0, 9.0))
    assert picture.dtype == np.uint8
    assert (np.ptp(picture[1:], axis=-1) == 0).all()
    assert np.ptp(picture[0, 0].astype(int)) > 50


def test_equal_limits_divide_by_nothing(evaluation):
    assert overlay(evaluation.examples[0].original, evaluation.examples[0].heat, (1.0, 1.0)).shape == (24, 32, 3)


def test_difference_does_not_wrap_around_in_uint8(evaluation):
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    example = replace(evaluation.examples[0], original=black, reconstruction=white)
    np.testing.assert_array_equal(difference(example), np.full((2, 2), 255.0))


def test_limits_come_from_the_data_set_or_else_from_the_examples(evaluation):
    assert heat_limits(evaluation) == (0.0, 9.0)
    low, high = heat_limits(replace(evaluation, heat_limits=None))
    assert low == min(e.heat.min() for e in evaluation.examples)
    assert high == max(e.heat.max() for e in evaluation.examples)


def test_figures_of_what_is_missing_are_left_out(evaluation):
    bare = [replace(e, reconstruction=None, heat=None) for e in evaluation.examples]
    for examples in ([], bare):
        assert reconstructions(replace(evaluation, examples=examples)) is None
        assert heat_maps(replace(evaluation, examples=examples)) is None


def test_rows_are_spread_from_the_highest_score_of_the_class_to_its_lowest(evaluation):
    figure = reconstructions(evaluation)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images][::3]
    for label, images in ((0, shown[:5]), (1, shown[5:10])):
        ranked = sorted((e for e in evaluation.examples if e.label == label), key=lambda e: -e.score)
        for place, image in zip(np.linspace(0, len(ranked) - 1, 5), images, strict=True):
            np.testing.assert_array_equal(image, ranked[round(place)].original)


def test_the_scale_names_the_score_of_the_heat(evaluation):
    labels = [axes.get_xlabel() for part in heat_maps(evaluation).subfigs for axes in part.axes]
    assert any(label.startswith("heat of patches (") for label in labels)


def test_outline_is_drawn_only_where_there_is_a_mask(evaluation):
    outlines = [len(axes.collections) for axes in heat_maps(evaluation).axes if axes.images]
    assert sum(outlines) == 5
    without = [replace(e, mask=None) for e in evaluation.examples]
    titles = [a.get_title() for a in heat_maps(replace(evaluation, examples=without)).axes]
    assert "ground truth" not in titles


def test_one_class_of_examples_and_other_shapes_draw(evaluation):
    wide = replace(
        evaluation.pictures(evaluation.showing.spread[1])[0],
        original=np.zeros((4, 90, 3), np.uint8),
        reconstruction=np.zeros((4, 90, 3), np.uint8),
        heat=np.zeros((4, 90), np.float32),
        mask=np.zeros((4, 90), bool),
    )
    alone = replace(evaluation, examples=[wide])
    assert reconstructions(alone) is not None
    assert heat_maps(alone) is not None
