"""Voice channels on Discord. Only `connection` and `source` use discord.py's classes for sound."""
