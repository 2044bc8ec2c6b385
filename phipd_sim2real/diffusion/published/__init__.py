"""Weights that the authors of the method publish, and others in the same layouts, brought into diffusers folders."""

from phipd_sim2real.diffusion.published.convert import ImportSummary, import_weights

__all__ = ["ImportSummary", "import_weights"]
