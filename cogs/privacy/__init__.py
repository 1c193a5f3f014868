"""/privacy: what is stored about a member, on one server or on all of them."""
