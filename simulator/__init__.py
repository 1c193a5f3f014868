"""Barkeep without Discord: the real bot in an in-memory server, shown in a local web page or driven by a script."""

import logging

# simcord tries discord.py out when it is imported, with a client that asks for nothing; discord.py warns of that.
logging.getLogger("discord.state").addFilter(lambda record: "intent seems to be disabled" not in record.getMessage())
# The simulated Discord takes any token; discord.py would say that it logs in with one.
logging.getLogger("discord.client").addFilter(lambda record: "static token" not in record.getMessage())
