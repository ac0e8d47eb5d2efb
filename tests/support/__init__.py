"""What the tests are made with: whatever more than one of their files needs."""
