// `@openai/agents/realtime` from npm: a `RealtimeSession` whose tools are an MCP server's, which the server calls.
import { hostedMcpTool } from "@openai/agents";
import { RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import { Board, key, model, tell, url } from "./heard.mjs";

const shop = process.argv[5];

async function asking(requireApproval) {
  const board = new Board();
  const [listed, called, errors] = [[], [], []];
  let [approved, done] = [0, 0];
  const tool = hostedMcpTool({ serverLabel: "shop", serverUrl: shop, requireApproval });
  const agent = new RealtimeAgent({ name: "Assistant", instructions: "Help.", tools: [tool] });
  const config = { outputModalities: ["text"] };
  const session = new RealtimeSession(agent, { transport: "websocket", model, config, tracingDisabled: true });
  const seen = (name, look) =>
    session.on(name, (...what) => {
      look(...what);
      board.changed();
    });
  seen("mcp_tools_changed", (tools) => listed.push(...tools.map(({ name }) => name)));
  seen("mcp_tool_call_completed", (_context, _agent, call) => called.push(call.output));
  seen("tool_approval_requested", (_context, _agent, { approvalItem }) => {
    approved += 1;
    session.approve(approvalItem);
  });
  seen("history_updated", () => {});
  seen("transport_event", (event) => (done += event.type === "response.done" ? 1 : 0));
  seen("error", (error) => errors.push(JSON.stringify(error)));

  await session.connect({ apiKey: key, url: `${url}/realtime?model=${model}` });
  await board.until(() => listed.length, "a list of tools");
  session.sendMessage("What is the status of order 7?");
  const texts = () => session.history.filter((item) => item.role === "assistant").map((item) => item.content[0]?.text);
  const said = await board.until(() => done >= 2 && texts().some((text) => text) && texts(), "a second answer");
  session.close();
  return { listed, called, approved, said, errors };
}

await tell({ never: () => asking("never"), always: () => asking("always") });
