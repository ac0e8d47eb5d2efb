"""The paid creates of one account: sent once, found again, watched and saved, whoever asked for them."""
