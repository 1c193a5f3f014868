"""What the engine does on a GPU, found out in one call of a few minutes on a machine that has nothing else of Barkeep.

`python -m benchmarks.gpu` runs the parts; benchmarks/GPU.md says what each is, and what the machine needs.
"""
