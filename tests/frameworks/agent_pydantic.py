"""A Pydantic AI agent, with the model of OpenAI or of Anthropic."""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from task import ASKED, ORIGIN, SERVER

MODELS = {
    "openai": lambda: OpenAIChatModel("gpt-5", provider=OpenAIProvider(base_url=f"{ORIGIN}/v1", api_key="made-up")),
    "anthropic": lambda: AnthropicModel(
        "claude-sonnet-5", provider=AnthropicProvider(base_url=ORIGIN, api_key="made-up")
    ),
}


async def main(kind: str) -> None:
    """Run the agent until it has no more calls to make."""
    agent = Agent(MODELS[kind](), toolsets=[MCPToolset(StdioTransport(**SERVER))])
    async with agent:
        await agent.run(ASKED)


asyncio.run(main(sys.argv[1]))
