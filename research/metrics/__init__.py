"""How speech is measured: words, voice, pitch and quality, by models that Barkeep itself does not need."""
