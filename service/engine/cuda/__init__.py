"""cuda: the paper's network on an NVIDIA GPU, its convolutions as fused Triton kernels."""
