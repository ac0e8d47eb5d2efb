# Claude Code: run once. Options stand before the name; --transport keeps --env from swallowing it.
claude mcp add --scope user --env KLING_API_KEY="$KLING_API_KEY" --transport stdio kolors -- kolors-mcp
