"""Calls a tool with the Python SDK, and prints the protocol version, the names of the tools and the text of the result.

usage: python_sdk.py legacy|auto TOOL ARGUMENTS URL
       python_sdk.py legacy|auto TOOL ARGUMENTS COMMAND [ARG...]
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(mode: str, tool: str, arguments: str, *way: str) -> None:
    if way[0].startswith("http://"):
        server = way[0]
    else:
        server = stdio_client(StdioServerParameters(command=way[0], args=list(way[1:]), env=dict(os.environ)))
    async with Client(server, mode=mode) as client:
        tools = [t.name for t in (await client.list_tools()).tools]
        if tool not in tools:
            sys.exit(f"no tool {tool} among {tools}")
        result = await client.call_tool(tool, json.loads(arguments))
        text = "".join(block.text for block in result.content if block.type == "text")
        print(client.protocol_version, *tools, text, sep="\n")
        if result.is_error:
            sys.exit(1)


asyncio.run(main(*sys.argv[1:]))
