"""A simulated Kling: real HTTP on loopback, as strict as the vendor's page, for newcomers, the demo and the tests."""
