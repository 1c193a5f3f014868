"""Side-by-side measurements of the speech engine. They are run, never imported by the bot."""
