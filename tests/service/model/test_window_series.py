"""WindowSeries: its size, its inputs, its switches and the neighbours of a slice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from service.model.residual import ResidualTrunk
from service.model.series_head import smooth_max
from service.model.window_fusion import FUSIONS
from service.model.window_series import WindowSeries, with_neighbours

SIZE = 64


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def slices(number: int, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Random triples of slices in HU and their default windows."""
    generator = torch.Generator().manual_seed(number)
    voxels = torch.randint(
        -100, 150, (number, 3, size, size), generator=generator, dtype=torch.int16
    )
    return voxels, torch.tensor([[40.0 + row, 80.0] for row in range(number)])


@pytest.fixture(scope="module")
def network() -> WindowSeries:
    """The whole network in evaluation mode, its statistics those of a few steps of training."""
    torch.manual_seed(1)
    built = WindowSeries(SIZE, series=True)
    with torch.no_grad():
        built.train()(*slices(4))
    return built.eval()


def test_the_size_is_that_of_the_proposal() -> None:
    """5.18 M parameters in convolutions and dense layers of stem and trunk, 0.99 M in the GRU."""
    built = WindowSeries(series=True)
    norms = sum(count(part) for part in built.modules() if isinstance(part, nn.BatchNorm2d))
    assert count(built.stem) + count(built.trunk) - norms == 5_182_656
    assert built.series is not None
    assert count(built.series.gru) == 986_880
    assert count(built) == 6_197_428


def test_tokens_and_embeddings_have_the_stated_shapes(network: WindowSeries) -> None:
    """At 512 pixels ten tokens of 64 x 64 x 32, and 256 numbers a slice."""
    voxels, default = slices(1, 512)
    with torch.inference_mode():
        assert network.tokens(voxels, default).shape == (1, 10, 32, 64, 64)
        assert network.embed(voxels, default).shape == (1, 256)
        assert network(voxels, default).shape == (1, 6)
        assert ResidualTrunk().eval().blocks(torch.zeros(1, 64, 64, 64)).shape == (1, 384, 8, 8)


def test_a_slice_alone_stands_for_its_neighbours(network: WindowSeries) -> None:
    """(B, H, W) is (B, 3, H, W) with the slice thrice; real neighbours change the answer."""
    voxels, default = slices(2)
    with torch.inference_mode():
        alone = network(voxels[:, 1], default)
        thrice = network(voxels[:, 1:2].expand(-1, 3, -1, -1), default)
        among = network(voxels, default)
    assert torch.equal(alone, thrice)
    assert float((alone - among).abs().max()) > 1e-4


def test_without_context_neighbours_are_not_looked_at() -> None:
    """With one slice of context the outer two may hold anything."""
    built = WindowSeries(SIZE, context=1).eval()
    voxels, default = slices(2)
    other = voxels.clone()
    other[:, [0, 2]] = 1000
    with torch.inference_mode():
        assert torch.equal(built(voxels, default), built(other, default))
        assert torch.equal(built(voxels, default), built(voxels[:, 1], default))


def test_integers_and_floats_of_the_same_hounsfield_units_agree(network: WindowSeries) -> None:
    """Only the dtype differs: the logits are equal."""
    voxels, default = slices(2)
    with torch.inference_mode():
        assert torch.equal(network(voxels, default), network(voxels.float(), default))


def test_pixels_are_averaged_before_windowing() -> None:
    """0 and 80 HU side by side are 40 HU to every window, also to the narrow ones."""
    built = WindowSeries(SIZE).eval()
    board = torch.zeros(1, SIZE, SIZE)
    board[:, ::2, ::2], board[:, 1::2, 1::2] = 80.0, 80.0
    default = torch.tensor([[32.0, 8.0]])
    with torch.inference_mode():
        mixed, flat = built(board, default), built(torch.full_like(board, 40.0), default)
    torch.testing.assert_close(mixed, flat)


def test_a_slice_does_not_depend_on_its_batch(network: WindowSeries) -> None:
    """Alone, in a batch and in another order a slice gets the same logits."""
    voxels, default = slices(3)
    with torch.inference_mode():
        together = network(voxels, default)
        turned = network(voxels.flip(0), default.flip(0)).flip(0)
        alone = torch.cat([network(voxels[i : i + 1], default[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(together, turned, atol=1e-6, rtol=0)


def test_windows_one_by_one_equal_all_at_once(network: WindowSeries) -> None:
    """What a CPU serves is what training and a GPU compute."""
    voxels, default = slices(2)
    with torch.inference_mode():
        each = network.tokens(voxels, default)
        network.training = True  # the flag alone: batch norm keeps its statistics
        at_once = network.tokens(voxels, default)
        network.training = False
    torch.testing.assert_close(each, at_once, atol=1e-5, rtol=0)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_learns_one_batch_by_heart(fusion: str) -> None:
    """From scratch, batch norm in training mode: a few steps halve the loss twice."""
    torch.manual_seed(3)
    built = WindowSeries(SIZE, fusion=fusion, windows=(1, 2, 9)).train()
    voxels, default = slices(4)
    labels = torch.eye(6)[:4]
    optimizer = torch.optim.Adam(built.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss = nn.functional.binary_cross_entropy_with_logits(built(voxels, default), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize(("fusion", "ordered"), [(f, f in ("lstm", "stack")) for f in FUSIONS])
def test_only_the_sequence_and_the_stack_know_the_order_of_the_windows(
    fusion: str, ordered: bool
) -> None:
    """Attention, maximum and mean are the same for shuffled windows; LSTM and stack are not."""
    torch.manual_seed(4)
    fuse = FUSIONS[fusion](10).eval()
    tokens = torch.randn(1, 10, 32, 4, 4)
    with torch.inference_mode():
        difference = float((fuse(tokens) - fuse(tokens.flip(1))).abs().max())
    assert (difference > 1e-3) == ordered


def test_only_the_chosen_windows_are_read() -> None:
    """A network of the bone window is blind to the brain; the default window is an index too."""
    bone = WindowSeries(SIZE, windows=(8,)).eval()
    voxels, default = slices(2)
    with torch.inference_mode():
        torch.testing.assert_close(bone(voxels, default), bone(voxels, default * 3))
        low = torch.full((1, SIZE, SIZE), -900.0)
        torch.testing.assert_close(bone(low, default[:1]), bone(low - 90, default[:1]))
        own = WindowSeries(SIZE, windows=(0,)).eval()
        assert float((own(voxels, default) - own(voxels, default * 3)).abs().max()) > 1e-4


@pytest.mark.parametrize(
    "config",
    [
        {"size": 100},
        {"fusion": "sum"},
        {"windows": ()},
        {"windows": (1, 1)},
        {"windows": (10,)},
        {"context": 2},
    ],
)
def test_a_configuration_outside_the_switches_is_refused(config: dict[str, object]) -> None:
    """Each wrong value is an error at once."""
    with pytest.raises(ValueError, match=r".+"):
        WindowSeries(**config)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(SIZE, SIZE), (1, 2, SIZE, SIZE), (1, 3, SIZE, 40)])
def test_other_shapes_are_refused(network: WindowSeries, shape: tuple[int, ...]) -> None:
    """Neither a bare picture, nor two slices, nor an odd side."""
    with pytest.raises(ValueError, match=r"slices? (are|must)|sides of a slice"):
        network(torch.zeros(shape), torch.tensor([[40.0, 80.0]]))


def test_neighbours_at_the_ends_are_the_slice_itself() -> None:
    """Of slices 0, 1, 2 the first sees 0 0 1, the last 1 2 2."""
    series = torch.arange(3).view(3, 1, 1).expand(3, 2, 2)
    seen = with_neighbours(series)[:, :, 0, 0]
    assert seen.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    assert with_neighbours(series[:1])[:, :, 0, 0].tolist() == [[0, 0, 0]]


def test_an_untrained_series_head_changes_no_slice(network: WindowSeries) -> None:
    """The GRU is residual: at first the slice logits pass, and the series takes their maximum."""
    embeddings, z = torch.randn(5, 256), torch.arange(5.0) * 5
    with torch.inference_mode():
        alone = network.head(embeddings)
        corrected, whole = network.series_logits(embeddings, z)
    assert torch.equal(corrected, alone)
    assert torch.equal(whole, smooth_max(alone))
    assert whole.shape == (6,)


def test_without_its_series_head_the_network_says_so() -> None:
    """The default is the slice classifier alone."""
    with pytest.raises(RuntimeError, match="no series head"):
        WindowSeries(SIZE).series_logits(torch.zeros(2, 256), torch.zeros(2))


def test_the_configuration_builds_the_same_network() -> None:
    """What the manifest stores is enough, and it is plain data."""
    built = WindowSeries(SIZE, fusion="stack", windows=(0, 3), context=1, series=True)
    twin = WindowSeries(**built.config)
    twin.load_state_dict(built.state_dict())
    voxels, default = slices(1)
    with torch.inference_mode():
        assert torch.equal(built.eval()(voxels, default), twin.eval()(voxels, default))
