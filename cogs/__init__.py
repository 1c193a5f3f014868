"""Discord and nothing else: commands, buttons, replies. The rules of the house are the studio's."""
