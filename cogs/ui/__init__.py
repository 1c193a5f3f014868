"""What commands share: rendering, pages, confirmations, buttons that outlive a restart."""
