"""What was asked for, written down before money is spent. Only `ledger`, and what it imports, loads the database."""
