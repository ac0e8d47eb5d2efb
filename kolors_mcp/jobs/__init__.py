"""The paid creates of one account: sent once, found again, watched and saved, for all callers."""
