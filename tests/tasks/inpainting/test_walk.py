"""A walk shows the descent itself: the same tokens, energies and pictures, state by state."""

import pytest
import torch

from attractor.data.masks import random_patches
from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig
from attractor.models.patches import patchify, unpatchify
from attractor.tasks.inpainting.walk import Walk

SIZES = {"image_size": (16, 24), "patch": 4, "dim": 16, "heads": 2, "head_dim": 4, "memories": 10, "steps": 3}


def lively(**settings):
    """A small random model whose descent goes somewhere."""
    model = ImageET(ImageETConfig(**{**SIZES, **settings})).eval()
    for block in model.descents:
        torch.nn.init.normal_(block.attention.W, std=0.5)
        torch.nn.init.normal_(block.memory.xi, std=0.5)
    return model


def views(model, count=2):
    """Normalised images, and which of their patches are hidden."""
    images = model.normalize(torch.rand(count, model.config.channels, *model.config.image_size))
    return images, random_patches(count, model.grid(images), 0.5)


@pytest.fixture
def walk():
    model = lively(blocks=2)
    return Walk.of(model, *views(model))


def test_its_name_is_short(walk):
    assert repr(walk).startswith("Walk(states=") and repr(walk.trace).startswith("Trace(steps=")
    assert max(len(repr(walk)), len(repr(walk.trace))) < 120


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("readout", ["norm", "layer"])
def test_the_last_frame_is_what_the_model_paints(channels, readout):
    model = lively(channels=channels, blocks=2, readout=readout)
    images, hidden = views(model)
    walk = Walk.of(model, images, hidden)
    with torch.no_grad():
        painted, read = model.inpaint(images, hidden), model(images, hidden)
    torch.testing.assert_close(walk.frames[-1], model.denormalize(painted))
    torch.testing.assert_close(walk.readings[-1], model.denormalize(unpatchify(read, model.grid(images), 4)))


def test_given_patches_stay_and_hidden_ones_are_read_from_the_tokens(walk):
    holes = walk.hidden.unsqueeze(-1)
    given = patchify(walk.images, 4)
    for frame, reading in zip(walk.frames, walk.readings, strict=True):
        expected = torch.where(holes, patchify(reading, 4), given)
        torch.testing.assert_close(patchify(frame, 4), expected, rtol=0, atol=0)
    assert (walk.readings[0] != walk.readings[-1]).any()


def test_energies_are_those_of_each_block_and_add_up(walk):
    energies = walk.energies
    assert energies["total"].shape == (8, 2)
    torch.testing.assert_close(energies["attention"] + energies["memory"], energies["total"])
    for state in range(8):
        block = walk.model.descents[walk.block(state)]
        g = block.norm(walk.trace.tokens[state])
        torch.testing.assert_close(energies["memory"][state], block.memory.energy(g).detach())


def test_blocks_meet_in_the_same_tokens(walk):
    assert [walk.block(state) for state in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]
    updates = walk.token_updates
    assert updates.shape == (7, 2, 1 + 24)
    assert (updates[3] == 0).all()
    assert (updates[[0, 1, 2, 4, 5, 6]].sum(dim=(1, 2)) > 0).all()
    torch.testing.assert_close(updates[0].square().sum(dim=1).sqrt(), walk.trace.updates[0])
    torch.testing.assert_close(walk.token_norms[3], walk.token_norms[4], rtol=0, atol=0)


def test_attention_is_that_of_the_block_at_this_state(walk):
    for state in (2, 3, 4):  # 3 and 4 have the same tokens
        block = walk.model.descents[walk.block(state)]
        maps = block.attention.maps(block.norm(walk.trace.tokens[state]))
        torch.testing.assert_close(walk.attention(state, 1), maps[1].detach())
    assert not torch.equal(walk.attention(3, 1), walk.attention(4, 1))
    torch.testing.assert_close(walk.attention(2).sum(dim=-1), torch.ones(2, 25))


@pytest.mark.parametrize("activation", ["relu", "gelu", "softmax"])
def test_pulls_of_all_memories_make_up_the_force(activation):
    model = lively(activation=activation)
    walk = Walk.of(model, *views(model))
    indices, strengths = walk.memories(2, sample=1, count=99)
    assert indices.shape == (25, 10)
    assert (strengths.diff(dim=1) <= 0).all()
    (block,) = model.descents
    pull = (strengths.unsqueeze(-1) * block.memory.xi[indices]).sum(dim=1)
    torch.testing.assert_close(pull, block.memory.force(block.norm(walk.trace.tokens[2]))[1])
    few = walk.memories(2, sample=1, count=4)
    torch.testing.assert_close(few[1], strengths[:, :4], rtol=0, atol=0)


def test_a_memory_is_drawn_as_what_it_adds_to_a_patch(walk):
    model, block = walk.model, walk.model.descents[0]
    drawn = walk.memory_patches(0)
    assert drawn.shape == (10, 3, 4, 4)
    added = (model.decoder(block.memory.xi) - model.decoder.bias).unflatten(-1, (3, 4, 4)) * model.std
    torch.testing.assert_close((drawn - 0.5).abs().amax(dim=(1, 2, 3)), torch.full((10,), 0.5))
    cosines = torch.nn.functional.cosine_similarity((drawn - 0.5).flatten(1), added.flatten(1))
    torch.testing.assert_close(cosines.detach(), torch.ones(10))
    with torch.no_grad():
        block.memory.xi[3] = 0  # adds nothing, and divides by nothing
    assert (walk.memory_patches(0)[3] == 0.5).all()


def test_steps_nobody_took_are_left_out():
    model = lively()
    images, hidden = views(model)
    walk = Walk.of(model, images, hidden, "equilibrium", steps=2000)
    taken = int(walk.trace.steps.max())
    assert taken < 2000
    assert len(walk.energies["total"]) == len(walk.frames) == taken + 1
    ended, _ = model.evolve(model.tokens(images, hidden), "equilibrium", steps=2000)
    torch.testing.assert_close(walk.trace.tokens[-1], ended.detach(), rtol=0, atol=0)


def test_steps_may_be_chosen_and_bad_ones_are_refused():
    model = lively()
    images, hidden = views(model)
    walk = Walk.of(model, images, hidden, "guaranteed", steps=5, step_size=0.01)
    assert walk.trace.step_sizes.shape == (5, 2)
    assert (walk.trace.step_sizes <= 0.01).all()
    with pytest.raises(InputError, match="no state 6; this walk has states 0 to 5"):
        walk.attention(6)
    with pytest.raises(InputError, match="rule must be one of"):
        Walk.of(model, images, hidden, "magic")
    with pytest.raises(InputError, match="hidden must be bool"):
        Walk.of(model, images, hidden[:, 1:])
