"""Speech in voice channels: lines in their order, the rooms they are heard in, and who may do what there."""
