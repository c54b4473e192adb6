"""The folder of a descent: every step, figure and number, the animation, and the page."""

import json

import numpy as np
import pytest
from PIL import Image
from walks import make_walk

from attractor.errors import InputError
from attractor.report.descent import write_descent
from attractor.report.descent.animation import write_animation
from attractor.report.descent.pictures import Descent, enlarged
from attractor.tasks.inpainting.walk import Walk


@pytest.fixture(scope="module")
def written(descent, tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk") / "new"
    (folder / "steps").mkdir(parents=True)
    (folder / "steps" / "step-40.png").write_text("of a longer walk")
    (folder / "steps" / "mine.txt").write_text("mine")
    return folder, write_descent(descent.walk, folder, sample=1, title="cat.png")


def test_all_files_are_there_and_no_other_walks_steps(written):
    folder, paths = written
    figures = {f"{name}.{kind}" for name in ("energy", "norms", "attention", "memories") for kind in ("png", "pdf")}
    steps = {f"steps/step-0{state}.png" for state in range(8)}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"index.html", "descent.gif", "trace.json", "steps/mine.txt"} | figures | steps
    assert {str(p.relative_to(folder)) for p in paths} == {f for f in found if not f.endswith((".pdf", ".txt"))}
    assert paths[0] == folder / "index.html"


def test_steps_are_the_frames(written, descent):
    for state in (0, 7):
        picture = np.asarray(Image.open(written[0] / "steps" / f"step-0{state}.png"))
        np.testing.assert_array_equal(picture, enlarged(descent.frames[state]))


def test_the_animation_has_a_shot_a_state_and_loops(written):
    with Image.open(written[0] / "descent.gif") as film:
        assert film.n_frames == 8
        assert film.info["loop"] == 0
        durations = []
        for shot in range(8):
            film.seek(shot)
            durations.append(film.info["duration"])
    assert durations == [700, *[300] * 6, 1600]
    assert (written[0] / "descent.gif").stat().st_size < 2e6


def test_long_descents_are_thinned_and_standing_still_is_a_film_too(descent, tmp_path, monkeypatch):
    monkeypatch.setattr("attractor.report.descent.animation.MOST_SHOTS", 3)
    with Image.open(write_animation(descent, tmp_path / "long.gif")) as film:
        assert film.n_frames == 3
    walk = make_walk()
    still_walk = Walk.of(walk.model, walk.model.normalize(walk.images), walk.hidden, steps=0)
    with Image.open(write_animation(Descent(still_walk), tmp_path / "still.gif")) as film:
        assert film.n_frames == 1


def test_numbers_are_those_of_the_sample(written, descent):
    numbers = json.loads((written[0] / "trace.json").read_text())
    np.testing.assert_allclose(numbers["energies"]["total"], descent.energies["total"])
    assert numbers["hidden"] == np.flatnonzero(descent.hidden).tolist()
    np.testing.assert_allclose(numbers["step_sizes_per_step"], [0.1, 0.1, 0.1, 0, 0.1, 0.1, 0.1])
    hidden = descent.norms[:, 1:][:, descent.hidden]
    np.testing.assert_allclose(numbers["mean_token_norms"]["hidden"], hidden.mean(axis=1))
    assert numbers["rule"] == "fixed"
    assert numbers["model"]["blocks"] == 2


def test_the_page_holds_its_figures(written):
    page = (written[0] / "index.html").read_text("utf-8")
    assert page.count('class="plot') == 1 + 4  # and the grid that they stand in
    assert "<h1>cat.png</h1>" in page


def test_a_walk_into_the_void_is_refused_before_anything_is_written(tmp_path):
    walk = make_walk()
    lost = Walk.of(walk.model, walk.model.normalize(walk.images), walk.hidden, steps=4, step_size=1e38)
    with pytest.raises(InputError, match="at step 1; take a smaller step size"):
        write_descent(lost, tmp_path / "out")
    assert not (tmp_path / "out").exists()
