//! The least that is an MCP server over stdio, for measuring what lies between it and a client: one thread, one tool
//! (`echo`), both eras, no JSON parser. It understands messages as this project's gateway and benchmarks write them,
//! with the id as a plain number.

use std::io::{self, BufRead, Write};

pub fn serve() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Some(id) = after(&line, b"\"id\":").map(digits) else { continue };
        let result: &[&[u8]] = match after(&line, b"\"method\":\"").map(until_quote) {
            Some(b"tools/call") => {
                let text = after(&line, b"\"message\":\"").map(until_quote).unwrap_or_default();
                &[br#"{"resultType":"complete","content":[{"type":"text","text":""#, text, br#""}]}"#]
            }
            Some(b"server/discover") => &[
                br#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#,
                br#""ttlMs":60000,"cacheScope":"public"}"#,
            ],
            Some(b"tools/list") => &[br#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#],
            Some(b"initialize") => &[
                br#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
                br#""serverInfo":{"name":"echo","version":"1"}}"#,
            ],
            _ => &[b"{}"],
        };
        reply.clear();
        reply.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        reply.extend_from_slice(id);
        reply.extend_from_slice(br#","result":"#);
        result.iter().for_each(|part| reply.extend_from_slice(part));
        reply.extend_from_slice(b"}\n");
        // An answer at a time: writing several together would flatter the throughput.
        output.write_all(&reply)?;
        output.flush()?;
    }
}

/// What follows `mark` in `line`.
fn after<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = line.windows(mark.len()).position(|window| window == mark)?;
    line.get(at + mark.len()..)
}

fn digits(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

fn until_quote(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|b| *b == b'"').unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}
