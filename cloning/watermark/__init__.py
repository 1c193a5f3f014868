"""Put an inaudible mark into generated speech, and detect it in a recording."""
