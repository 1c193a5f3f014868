"""The Discord side: commands, buttons, replies and delivery. The rules are in studio."""
