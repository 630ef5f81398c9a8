"""ThreeWindow: the three channels by hand, windowed before they are resized."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from service.model.bhcnet import BhcNet
from service.model.three_window import THREE_WINDOWS, ThreeWindowNetwork, ThreeWindows


def channels(values_hu: list[float]) -> Tensor:
    """The three channels of a square slice of these rows, at its own size: (3, rows)."""
    side = len(values_hu)
    voxels = torch.tensor(values_hu).view(1, side, 1).expand(1, side, side)
    images: Tensor = ThreeWindows(side)(voxels)
    return images[0, :, :, 0]


def test_the_channels_are_brain_subdural_and_soft_tissue() -> None:
    """Limits 0..80, -20..180 and -150..230 HU: zero below, one above, linear between."""
    assert [name for name, _, _ in THREE_WINDOWS] == ["brain", "subdural", "soft_tissue"]
    found = channels([-200.0, -150.0, -20.0, 0.0, 40.0, 80.0, 180.0, 230.0, 3000.0])
    assert found[0].tolist() == [0, 0, 0, 0, 0.5, 1, 1, 1, 1]
    assert found[1].tolist() == pytest.approx([0, 0, 0, 0.1, 0.3, 0.5, 1, 1, 1])
    share = [0, 0, 130 / 380, 150 / 380, 190 / 380, 230 / 380, 330 / 380, 1, 1]
    assert found[2].tolist() == pytest.approx(share)


def test_the_slice_is_windowed_before_it_is_resized() -> None:
    """Rows of 0 and 160 HU give 0 and 1 in the brain window, so 0.5; their mean would give 1."""
    voxels = torch.zeros(1, 64, 64, dtype=torch.int16)
    voxels[:, 1::2] = 160
    image = ThreeWindows(16)(voxels)
    assert image.shape == (1, 3, 16, 16)
    torch.testing.assert_close(image[0, 0, 4:-4], torch.full((8, 16), 0.5))


def test_one_bright_pixel_is_not_lost_in_the_resize() -> None:
    """Anti-aliasing lets all pixels count: wherever it lies, the sum of the image is the same."""
    sums = []
    for position in (24, 25, 26, 27):
        voxels = torch.zeros(1, 64, 64)
        voxels[0, position, 30] = 80.0
        sums.append(float(ThreeWindows(16)(voxels)[0, 0].sum()))
    assert sums == pytest.approx([1 / 16] * 4, rel=1e-4)


def test_int16_and_float_slices_give_the_same_image() -> None:
    """Integer Hounsfield units are exact in float32."""
    voxels = torch.arange(-1024, 3072, dtype=torch.int16).reshape(1, 64, 64)
    assert torch.equal(ThreeWindows(32)(voxels), ThreeWindows(32)(voxels.float()))


def test_the_default_window_takes_no_part() -> None:
    """The three windows are fixed, whatever the object asks for."""
    network = BhcNet(64).eval()
    voxels = torch.randint(-50, 120, (1, 64, 64))
    with torch.inference_mode():
        one, other = (network(voxels, torch.tensor([[c, 80.0]])) for c in (40.0, 900.0))
    assert torch.equal(one, other)


def test_png_images_are_divided_by_255_and_not_windowed() -> None:
    """The way of the 200-image set: 8-bit RGB straight into the network, one output."""
    network = BhcNet(64, outputs=1).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        logits = network.image_logits(images)
        assert torch.equal(logits, network.logits(images.float() / 255.0))
    assert logits.shape == (2, 1)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 3, 64, 64),
        torch.zeros(1, 1, 64, 64, dtype=torch.uint8),
        torch.zeros(1, 3, 128, 128, dtype=torch.uint8),
    ],
)
def test_images_of_another_kind_are_refused(images: Tensor) -> None:
    """Floats could be in any range; grey or large images are another network's."""
    with pytest.raises(ValueError, match="8-bit RGB"):
        BhcNet(64).image_logits(images)


@pytest.mark.parametrize(("size", "outputs"), [(0, 6), (128, 0)])
def test_sizes_and_outputs_below_one_are_refused(size: int, outputs: int) -> None:
    """A network of nothing would fail later and less clearly."""
    with pytest.raises(ValueError, match="positive"):
        ThreeWindowNetwork(size, outputs)
