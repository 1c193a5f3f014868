"""How the bundled model is made, and how models are measured. Needs requirements-research.txt."""
