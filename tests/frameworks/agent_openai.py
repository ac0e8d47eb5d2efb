"""An agent of OpenAI's Agents SDK, by the responses or by chat completions."""

import asyncio
import sys

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI
from task import ASKED, ORIGIN, SERVER

MODELS = {"responses": OpenAIResponsesModel, "completions": OpenAIChatCompletionsModel}


async def main(kind: str) -> None:
    """Run the agent until it has no more calls to make."""
    set_tracing_disabled(disabled=True)
    model = MODELS[kind](model="gpt-5", openai_client=AsyncOpenAI(base_url=f"{ORIGIN}/v1", api_key="made-up"))
    # Its client gives up after 5 seconds by default.
    async with MCPServerStdio(params=SERVER, client_session_timeout_seconds=60) as server:
        agent = Agent(name="dresser", model=model, mcp_servers=[server])
        await Runner.run(agent, ASKED)


asyncio.run(main(sys.argv[1]))
