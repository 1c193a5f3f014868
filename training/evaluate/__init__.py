"""How good speech is: words, voice, pitch and quality measured by models that Barkeep itself never needs."""
