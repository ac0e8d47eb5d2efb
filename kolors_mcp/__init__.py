"""kolors-mcp: AI assistants dress a person in a garment with Kling's Kolors Virtual Try-On."""

__version__ = "0.1.0"
