"""Written text as Bark needs it."""
