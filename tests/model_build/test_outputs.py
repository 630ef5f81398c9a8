"""Outputs: one pass gives what two would, for a network with windows and for one without."""

from __future__ import annotations

import numpy as np
import torch

from model_build.inference import logits_of
from model_build.outputs import outputs_of, unlabelled
from service.model.cnn_128 import Cnn128
from service.model.conv_lstm import ConvLstm
from tests.model_build.phantom_set import slice_set

ROWS = np.array([3, 0, 5])
CPU = torch.device("cpu")


def test_conv_lstm_keeps_features_and_windows() -> None:
    """Logits as the service gives them, the last state, ten window logits."""
    torch.manual_seed(0)
    network = ConvLstm(256, window_head=True).eval()
    source = slice_set(6)
    found = outputs_of(network, source, ROWS, CPU, progress=False)
    expected = logits_of(network, source, ROWS, CPU, progress=False)
    np.testing.assert_allclose(found.logits, expected, atol=1e-5)
    assert found.embedding.shape == (3, 128)
    assert "last LSTM state, 128" in found.embedding_name
    assert found.window_logits is not None
    assert found.window_logits.shape == (3, 10, 6)
    assert found.features is not None
    assert found.features.shape == (3, 10, 128)


def test_without_its_window_head_there_are_no_window_logits() -> None:
    """The signal is absent, not an error."""
    found = outputs_of(ConvLstm(256).eval(), slice_set(4), np.array([0]), CPU, progress=False)
    assert found.window_logits is None


def test_another_network_gives_what_its_last_layer_reads() -> None:
    """The same logits as without listening, rows in the order asked for."""
    torch.manual_seed(0)
    network, source = Cnn128().eval(), slice_set(6)
    found = outputs_of(network, source, ROWS, CPU, progress=False)
    np.testing.assert_array_equal(
        found.logits, logits_of(network, source, ROWS, CPU, progress=False)
    )
    assert found.embedding.shape == (3, 64)
    assert (found.window_logits, found.features) == (None, None)


def test_slices_of_no_set_can_be_run() -> None:
    """Voxels and one window are all that a pass needs."""
    source = unlabelled(np.zeros((2, 256, 256), np.int16), (40.0, 80.0))
    assert source.windows.tolist() == [[40.0, 80.0]] * 2
    logits = logits_of(Cnn128().eval(), source, np.arange(2), CPU, progress=False)
    np.testing.assert_allclose(logits[0], logits[1])
