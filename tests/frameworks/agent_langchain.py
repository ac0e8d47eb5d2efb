"""A LangChain agent, with the chat model of OpenAI or of Anthropic."""

import asyncio
import sys

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI
from task import ASKED, ORIGIN, SERVER

MODELS = {
    "openai": lambda: ChatOpenAI(model="gpt-5", base_url=f"{ORIGIN}/v1", api_key="made-up", use_responses_api=False),
    "responses": lambda: ChatOpenAI(model="gpt-5", base_url=f"{ORIGIN}/v1", api_key="made-up", use_responses_api=True),
    "anthropic": lambda: ChatAnthropic(model="claude-sonnet-5", base_url=ORIGIN, api_key="made-up"),
}


async def main(kind: str) -> None:
    """Run the agent until it has no more calls to make."""
    client = MultiServerMCPClient({"kolors": {"transport": "stdio", **SERVER}})
    async with client.session("kolors") as session:
        from langchain_mcp_adapters.tools import load_mcp_tools  # noqa: PLC0415  (as its own documents show it)

        agent = create_agent(MODELS[kind](), await load_mcp_tools(session))
        await agent.ainvoke({"messages": [("user", ASKED)]})


asyncio.run(main(sys.argv[1]))
