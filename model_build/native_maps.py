"""NativeMaps: the convolutions of a Conv-LSTM on the compiled kernel, where there is one."""

from __future__ import annotations

import torch

from service.engine.native.engine import NativeEngine, NativeUnavailable, native_engines
from service.model.conv_lstm import ConvLstm


def native_engine(network: object, device: torch.device) -> NativeEngine | None:
    """The float32 kernel with the weights that a network has now, on torch's number of threads.

    None where torch has to compute: another device, network or size, no library, or weights that
    the kernel refuses. Its answers are torch's up to rounding; `close` frees its threads.
    """
    if device.type != "cpu" or not isinstance(network, ConvLstm):
        return None
    try:
        found = native_engines(network, torch.get_num_threads())
    except NativeUnavailable:
        return None
    chosen = next((engine for engine in found if engine.precision == "fp32"), None)
    for engine in found:
        if engine is not chosen:
            engine.close()
    return chosen
