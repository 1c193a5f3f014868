"""Runs the real bot in an in-memory server, shown in a local web page or driven by a script, without Discord."""

import logging

# simcord tries discord.py out at import, with a client that has no intents, and discord.py warns about that.
logging.getLogger("discord.state").addFilter(lambda record: "intent seems to be disabled" not in record.getMessage())
# The simulated Discord takes any token, and discord.py would log that it uses one.
logging.getLogger("discord.client").addFilter(lambda record: "static token" not in record.getMessage())
