"""Calls tools with the Python SDK.

usage: python_sdk.py legacy|auto PLAN

PLAN, JSON: [{way: [URL] or [COMMAND, ARG...], calls: [{tool, arguments}]}]; printed is, as JSON,
[{version, tools: [NAME], results: [{text, progress}]}]. A model answers what it is asked, a user accepts with "it".
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters, types
from mcp.client.stdio import stdio_client


async def sample(context, params):
    text = f"heard: {params.messages[0].content.text}"
    return types.CreateMessageResult(role="assistant", model="m", content=types.TextContent(type="text", text=text))


async def elicit(context, params):
    schema = params.requested_schema
    wanted = [name for name in schema.get("required", []) if schema["properties"][name]["type"] == "string"]
    return types.ElicitResult(action="accept", content={name: "it" for name in wanted})


async def visit(mode: str, server: dict) -> dict:
    command, *args = server["way"]
    target = command
    if not command.startswith("http://"):
        target = stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    async with Client(target, mode=mode, sampling_callback=sample, elicitation_callback=elicit) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        results = []
        for call in server["calls"]:
            steps = []

            async def progress(done, total, message):
                steps.append(done)

            result = await client.call_tool(call["tool"], call["arguments"], progress_callback=progress)
            text = "".join(block.text for block in result.content if block.type == "text")
            results.append({"text": text, "progress": len(steps)})
        return {"version": client.protocol_version, "tools": tools, "results": results}


async def main(mode: str, plan: str) -> None:
    print(json.dumps([await visit(mode, server) for server in json.loads(plan)]))


asyncio.run(main(*sys.argv[1:]))
