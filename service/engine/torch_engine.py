"""TorchEngine: the network as torch runs it; in float32 the reference for every other engine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from service.engine.protocol import Facts
from service.model.registry import Network

# On a CPU a larger batch only makes its first slice wait: the network gains nothing from it.
CPU_MAX_BATCH = 4


class TorchEngine:
    """Any network of the registry on one device.

    Args:
        network: its weights loaded; it is moved to the device.
        device: "cpu" or "cuda".
        max_batch: most slices in one forward on a GPU; a CPU takes at most `CPU_MAX_BATCH`.
        precision: "fp32", or "bf16" for the products that autocast gives to bfloat16.
    """

    name = "torch"

    def __init__(
        self, network: Network, device: torch.device, max_batch: int, precision: str = "fp32"
    ) -> None:
        self.device, self.precision = device, precision
        self.efficient_batch = max_batch if device.type == "cuda" else CPU_MAX_BATCH
        # cuDNN would round the inputs of float32 products to 10 bits; a reference must not.
        torch.backends.cudnn.allow_tf32 = False
        self._network = network.eval().requires_grad_(False)
        self._network.to(device=device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(
        self, voxels_hu: npt.NDArray[np.int16], windows: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Logits float32 (B, 6) of int16 (B, 512, 512) HU and float32 (B, 2) windows."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self._network(
                torch.from_numpy(voxels_hu).to(self.device, non_blocking=True),
                torch.from_numpy(windows).to(self.device),
            )
        found: npt.NDArray[np.float32] = logits.float().cpu().numpy()
        return found

    def facts(self) -> Facts:
        """Device, and threads on a CPU."""
        if self.device.type == "cpu":
            return {"device": "cpu", "threads": torch.get_num_threads()}
        return {"device": self.device.type}

    def use(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing beyond what is collected with the network."""
