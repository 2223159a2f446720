"""The same as python_sdk.py with FastMCP's client.

usage: fastmcp_client.py legacy|auto PLAN
"""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


async def sample(messages, params, context):
    return f"heard: {messages[0].content.text}"


async def elicit(message, response_type, params, context):
    schema = params.requested_schema
    return {name: "it" for name in schema.get("required", []) if schema["properties"][name]["type"] == "string"}


async def visit(mode: str, server: dict) -> dict:
    command, *args = server["way"]
    if command.startswith("http://"):
        transport = StreamableHttpTransport(command)
    else:
        transport = StdioTransport(command=command, args=args, env=dict(os.environ), keep_alive=False)
    async with Client(transport, mode=mode, sampling_handler=sample, elicitation_handler=elicit) as client:
        tools = [tool.name for tool in await client.list_tools()]
        results = []
        for call in server["calls"]:
            steps = []

            async def progress(done, total, message):
                steps.append(done)

            result = await client.call_tool(call["tool"], call["arguments"], progress_handler=progress)
            text = "".join(block.text for block in result.content if block.type == "text")
            results.append({"text": text, "progress": len(steps)})
        return {"version": client.protocol_version, "tools": tools, "results": results}


async def main(mode: str, plan: str) -> None:
    print(json.dumps([await visit(mode, server) for server in json.loads(plan)]))


asyncio.run(main(*sys.argv[1:]))
