// `@openai/agents/realtime` from npm: a `RealtimeSession` with a tool, over its WebSocket transport.
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";
import { Board, errand, key, model, pieces, question, story, tell, url } from "./heard.mjs";

const called = [];
const weather = tool({
  name: "get_weather",
  description: "The weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    called.push(city);
    return JSON.stringify({ temperature_c: 17 });
  },
});

class Talk extends Board {
  events = [];
  bytes = 0;
  interrupted = 0;

  constructor(config) {
    super();
    const agent = new RealtimeAgent({ name: "Assistant", instructions: "Help.", tools: [weather] });
    this.session = new RealtimeSession(agent, { transport: "websocket", model, config, tracingDisabled: true });
    const seen = (name, look) =>
      this.session.on(name, (...what) => {
        look(...what);
        this.changed();
      });
    seen("audio", (event) => (this.bytes += event.data.byteLength));
    seen("audio_interrupted", () => (this.interrupted += 1));
    seen("transport_event", (event) => this.events.push(event));
    seen("history_updated", () => {});
    seen("error", (error) => this.errors.push(JSON.stringify(error)));
  }

  of(type) {
    return this.events.filter((event) => event.type === type);
  }

  /** Text or transcript of each message of that role. */
  said(role) {
    return this.session.history
      .filter((item) => item.type === "message" && item.role === role)
      .map((item) => item.content.map((part) => part.text ?? part.transcript ?? "").join(""));
  }

  answered(word) {
    return this.until(() => this.said("assistant").find((text) => text.includes(word)), `an answer with ${word}`);
  }

  hear(pcm) {
    for (const piece of pieces(pcm)) {
      this.session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.length));
    }
  }
}

async function talking(config, scenario) {
  const talk = new Talk(config);
  await talk.session.connect({ apiKey: key, url: `${url}/realtime?model=${model}` });
  await talk.until(() => talk.of("session.updated").length, "session.updated");
  const seen = await scenario(talk);
  talk.session.close();
  return { ...seen, errors: talk.errors };
}

const input = (turnDetection) => ({
  transcription: { model: "gpt-4o-mini-transcribe" },
  turnDetection,
});
const listening = { audio: { input: input({ type: "server_vad", interruptResponse: true, createResponse: true }) } };

await tell({
  text: () =>
    talking({ outputModalities: ["text"] }, async (talk) => {
      talk.session.sendMessage("What is two plus three?");
      return { said: await talk.answered("5.") };
    }),

  voice: () =>
    talking(listening, async (talk) => {
      talk.hear(question);
      const said = await talk.answered("5.");
      const heard = await talk.until(() => talk.said("user")[0], "what was heard");
      await talk.until(() => talk.of("response.done").length, "response.done");
      return { said, heard, bytes: talk.bytes };
    }),

  tool: () =>
    talking(listening, async (talk) => {
      talk.hear(errand);
      return { said: await talk.answered("degrees."), called };
    }),

  barge_in: () =>
    talking(listening, async (talk) => {
      talk.session.sendMessage(story);
      await talk.until(() => talk.bytes, "sound");
      talk.hear(question);
      await talk.until(() => talk.of("conversation.item.truncated").length, "truncated");
      const said = await talk.answered("5.");
      return { status: talk.of("response.done")[0].response.status, interrupted: talk.interrupted, said };
    }),

  cancel: () =>
    talking({ audio: { input: input(null) } }, async (talk) => {
      talk.session.sendMessage(story);
      await talk.until(() => talk.bytes, "sound");
      talk.session.interrupt();
      const [{ response }] = await talk.until(() => talk.of("response.done").length && talk.of("response.done"), "done");
      await talk.until(() => talk.of("conversation.item.truncated").length, "truncated");
      return { status: response.status, reason: response.status_details.reason };
    }),
});
