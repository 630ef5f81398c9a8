"""Distributed: this process's place among the training processes (torchrun) and its device."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from service.model.host_memory import keep_freed_pages


@dataclass(frozen=True, slots=True)
class Place:
    """Rank, number of processes and device of this process."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, stage: nn.Module) -> nn.Module:
        """The stage with averaged gradients when there are several processes."""
        if self.world == 1:
            return stage
        if self.device.type == "cuda":
            stage = nn.SyncBatchNorm.convert_sync_batchnorm(stage)  # type: ignore[no-untyped-call]
            return DistributedDataParallel(stage, device_ids=[self.device.index])
        return DistributedDataParallel(stage)

    def summed(self, values: Tensor) -> Tensor:
        """The sum of a CPU tensor over the processes: parts that the others left at zero."""
        if self.world == 1:
            return values
        shared = values.to(self.device)
        dist.all_reduce(shared)
        return shared.cpu()

    def barrier(self) -> None:
        """Wait for every process."""
        if self.world > 1:
            dist.barrier()


def join() -> Place:
    """Join the process group that torchrun announces by its environment, or stand alone."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available()
    device = torch.device("cpu")
    if cuda:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    else:
        keep_freed_pages()
        # Weight decay drives dead filters into denormals, on which many CPUs are slow.
        torch.set_flush_denormal(True)
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    return Place(rank, world, device)


def leave() -> None:
    """Leave the process group, if one was joined."""
    if dist.is_initialized():
        dist.destroy_process_group()
