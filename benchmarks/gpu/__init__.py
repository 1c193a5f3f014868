"""Measure the engine on a GPU, in one call of a few minutes on a machine with nothing else of Barkeep.

`python -m benchmarks.gpu` runs the parts; benchmarks/GPU.md describes them and the requirements.
"""
