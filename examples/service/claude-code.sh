# Claude Code: run once. The token itself is then kept in its settings.
claude mcp add --scope user --transport http kolors https://try-on.shop.example/mcp --header "Authorization: Bearer $KOLORS_TOKEN"
