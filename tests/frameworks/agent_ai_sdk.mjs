// An agent of Vercel's AI SDK, with the model of Anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { generateText, stepCountIs } from "ai";

const origin = process.env.KOLORS_MODEL_ORIGIN;
const server = JSON.parse(process.env.KOLORS_SERVER);
const client = await createMCPClient({ transport: new StdioTransport(server) });
try {
  await generateText({
    model: createAnthropic({ baseURL: `${origin}/v1`, apiKey: "made-up" })("claude-sonnet-5"),
    tools: await client.tools(),
    stopWhen: stepCountIs(10),
    prompt: "Show me how this garment looks on this person.",
  });
} finally {
  await client.close();
}
