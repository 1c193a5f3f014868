"""The bot in voice channels. Only `connection` and `source` know discord's classes for sound."""
