"""What was asked for, written down before money is spent. `entry` and `place` are light; `book` loads the database."""
