"""A comparative benchmark suite around ConvMixer: one YAML suite in, the paper's table out."""

__version__ = "0.1.0"
