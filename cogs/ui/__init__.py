"""UI that commands share: rendering, paged lists, confirmations, persistent buttons."""
