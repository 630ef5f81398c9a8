"""U-Net: shapes, size of the published network, receptive field across the whole slice."""

from __future__ import annotations

import pytest
import torch

from model_build.companions.unet import Unet, soft_area


def test_logits_have_the_shape_of_the_images() -> None:
    """One logit per pixel, for every side that four halvings allow; also the paper's 640."""
    network = Unet(base=2).eval()
    with torch.inference_mode():
        for size in (16, 48, 640):
            assert network(torch.zeros(1, size, size)).shape == (1, size, size)


def test_the_published_network_has_its_31_million_parameters() -> None:
    """Convolutions of the U-Net at 64 channels; batch norm adds two values a channel."""
    network = Unet()
    kernels = sum(each.numel() for each in network.parameters() if each.ndim == 4)
    assert kernels == 31_023_744
    assert network.config == {"base": 64}


@pytest.mark.parametrize("shape", [(1, 40, 40), (1, 1, 32, 32), (32, 32)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """A side that cannot be halved four times, or no batch of pictures."""
    with pytest.raises(ValueError, match="multiples of 16"):
        Unet(base=2)(torch.zeros(shape))


def test_fine_detail_reaches_the_output_past_the_bottleneck() -> None:
    """Skip connections: one pixel of the image changes its own logit most."""
    torch.manual_seed(0)
    network = Unet(base=4).eval()
    plain, dotted = torch.zeros(1, 32, 32), torch.zeros(1, 32, 32)
    dotted[0, 10, 20] = 1.0
    with torch.inference_mode():
        change = (network(dotted) - network(plain)).abs()[0]
    row, column = divmod(int(change.argmax()), 32)
    assert abs(row - 10) <= 2
    assert abs(column - 20) <= 2


def test_the_soft_area_grows_with_size_and_certainty() -> None:
    """An empty slice has next to none; a larger or a surer lesion has more."""
    logits = torch.full((4, 16, 16), -20.0)
    logits[1, :2, :2], logits[2, :2, :2], logits[3, :4, :4] = 0.0, 20.0, 20.0
    areas = soft_area(logits).tolist()
    assert areas[0] < 1e-6
    assert areas[1:] == pytest.approx([2 / 256, 4 / 256, 16 / 256])
