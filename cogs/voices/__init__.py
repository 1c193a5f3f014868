"""/voices: the library of a server, and who may use a voice."""
