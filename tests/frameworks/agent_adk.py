"""An agent of Google's Agent Development Kit, with Gemini."""

import asyncio
import os

from google.adk.agents import LlmAgent
from google.adk.models.google_llm import Gemini
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool.mcp_session_manager import StdioConnectionParams
from google.adk.tools.mcp_tool.mcp_toolset import McpToolset
from mcp import StdioServerParameters
from task import ASKED, ORIGIN, SERVER


async def main() -> None:
    """Run the agent until it has no more calls to make."""
    os.environ["GOOGLE_API_KEY"] = "made-up"
    tools = McpToolset(
        connection_params=StdioConnectionParams(server_params=StdioServerParameters(**SERVER), timeout=60)
    )
    agent = LlmAgent(name="dresser", model=Gemini(model="gemini-3-pro", base_url=ORIGIN), tools=[tools])
    await InMemoryRunner(agent=agent, app_name="dresser").run_debug(ASKED, quiet=True)
    await tools.close()


asyncio.run(main())
