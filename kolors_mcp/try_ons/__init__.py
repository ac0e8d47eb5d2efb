"""The domain: make a try-on, look at it, wait for it, list them. Knows neither MCP nor HTTP."""
