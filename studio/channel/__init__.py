"""Speech in voice channels: lines and their queues, and who may control them."""
