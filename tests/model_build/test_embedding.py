"""Embedding: what is heard is what the last layer read, and nothing else changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from model_build.embedding import last_layer, last_states, tapped
from service.model.bhcnet import BhcNet
from service.model.cnn_128 import Cnn128
from service.model.conv_lstm import ConvLstm
from service.model.slice_cnn import SliceCnn
from service.model.window_series import WindowSeries

WINDOW = torch.tensor([[40.0, 80.0]])


def voxels(count: int, side: int = 256) -> Tensor:
    """Noise of soft tissue."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 90, (count, side, side), generator=generator).to(torch.int16)


@pytest.mark.parametrize(
    ("network", "width"),
    [
        pytest.param(BhcNet(), 64, id="bhcnet"),
        pytest.param(Cnn128(), 64, id="cnn_128"),
        pytest.param(SliceCnn(256), 128, id="slice_cnn"),
        pytest.param(WindowSeries(256, series=True), 256, id="window_series"),
    ],
)
def test_the_logits_follow_from_the_embedding(network: nn.Module, width: int) -> None:
    """The last layer on the embedding gives the logits, also where it runs once per window."""
    network.eval()
    with torch.inference_mode(), tapped(network) as embedding:
        logits = network(voxels(2), WINDOW.expand(2, 2))
        heard = embedding()
        again = last_layer(network)(heard)
    assert heard.shape == (2, width)
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)


def test_nothing_is_left_behind() -> None:
    """The same state_dict, and no hook once it is closed."""
    network = BhcNet().eval()
    keys = list(network.state_dict())
    with tapped(network):
        assert list(network.state_dict()) == keys
    assert not last_layer(network)._forward_pre_hooks


def test_each_batch_and_each_thread_has_its_own() -> None:
    """Asked after every batch, in four threads at once."""
    network = Cnn128().eval()
    batches = [voxels(1) + shift for shift in range(8)]

    with tapped(network) as embedding:

        def run(batch: Tensor) -> tuple[Tensor, Tensor]:
            with torch.inference_mode():
                logits = network(batch, WINDOW)
                return logits, last_layer_alone(embedding())

        weights = last_layer(network)

        def last_layer_alone(rows: Tensor) -> Tensor:
            return rows @ weights.weight.T + weights.bias

        with ThreadPoolExecutor(4) as pool:
            for logits, again in pool.map(run, batches):
                torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)


def test_silence_is_an_error() -> None:
    """Asked before any batch, or of a network without a dense layer."""
    with tapped(BhcNet()) as embedding, pytest.raises(RuntimeError, match="last layer"):
        embedding()
    with pytest.raises(ValueError, match="no dense layer"):
        last_layer(nn.Conv2d(1, 1, 1))  # type: ignore[arg-type]


def test_last_state_is_what_the_head_of_the_conv_lstm_reads() -> None:
    """128 numbers from the trunk features, no convolution."""
    network = ConvLstm(256).eval()
    features = torch.randn(3, 10, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        states = last_states(network, features)
        assert states.shape == (3, 128)
        torch.testing.assert_close(network.head(states), network.sequence_logits(features))
