"""One user's try-ons: make one, look at it, list them, show them. Knows neither MCP nor HTTP."""
