"""The fitting room: an MCP App in which people choose photos, start a try-on and look at it, beside the conversation.

docs/decisions/0006-fitting-room.md says why it is as it is.
"""
