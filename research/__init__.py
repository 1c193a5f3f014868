"""The recipe of the bundled model, and the evaluation of models. `make research` installs what they need."""
