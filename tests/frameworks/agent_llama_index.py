"""A LlamaIndex agent, with the model of OpenAI."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from task import ASKED, ORIGIN, SERVER


async def main() -> None:
    """Run the agent until it has no more calls to make."""
    client = BasicMCPClient(SERVER["command"], args=SERVER["args"], env=SERVER["env"], timeout=60)
    tools = await McpToolSpec(client=client).to_tool_list_async()
    model = OpenAI(model="gpt-4.1", api_base=f"{ORIGIN}/v1", api_key="made-up")
    await FunctionAgent(tools=tools, llm=model).run(ASKED)


asyncio.run(main())
