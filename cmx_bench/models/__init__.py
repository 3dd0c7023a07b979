"""Models and their weights: ConvMixer, timm's families, user code. This file loads no torch."""

# What files of weights end in; of those that are called alike the first kind wins.
SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin", ".ckpt")
