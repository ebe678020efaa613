// `openai/realtime/ws` and `openai/realtime/websocket` from npm: the same scenarios through both.
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { Board, errand, key, model, pieces, question, story, tell, url } from "./heard.mjs";

const baseURL = url.replace("ws", "http");
const client = new OpenAI({ apiKey: key, baseURL });
const hearing = { audio: { input: { transcription: { model: "gpt-4o-mini-transcribe" } } } };
const weather = {
  type: "function",
  name: "get_weather",
  description: "The weather in a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

class Talk extends Board {
  events = [];
  #at = 0;

  constructor(Realtime, by = client) {
    super();
    this.rt = new Realtime({ model }, by);
    this.rt.on("event", (event) => {
      this.events.push(event);
      this.changed();
    });
    this.rt.on("error", (error) => {
      this.errors.push(error.message);
      this.changed();
    });
  }

  /** The events up to and with the next of that type. */
  async next(type) {
    const at = await this.until(() => {
      const found = this.events.findIndex((event, at) => at >= this.#at && event.type === type);
      return found < 0 ? 0 : found + 1;
    }, type);
    const events = this.events.slice(this.#at, at);
    this.#at = at;
    return events;
  }

  /** All events of that type, once there is one. */
  some(type) {
    return this.until(() => {
      const found = this.events.filter((event) => event.type === type);
      return found.length && found;
    }, type);
  }

  send(type, fields = {}) {
    this.rt.send({ type, ...fields });
  }

  type(text) {
    this.send("conversation.item.create", {
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
  }

  hear(pcm) {
    for (const piece of pieces(pcm)) this.send("input_audio_buffer.append", { audio: piece.toString("base64") });
  }
}

async function talking(Realtime, scenario) {
  const talk = new Talk(Realtime);
  await talk.next("session.created");
  talk.send("session.update", { session: { type: "realtime", tools: [weather], ...hearing } });
  await talk.next("session.updated");
  const seen = await scenario(talk);
  talk.rt.close();
  return { ...seen, errors: talk.errors };
}

const last = (events) => events.at(-1);

const scenarios = {
  async text(talk) {
    talk.type("What is two plus three?");
    talk.send("response.create", { response: { output_modalities: ["text"] } });
    const { response } = last(await talk.next("response.done"));
    return { said: response.output[0].content[0].text };
  },

  async voice(talk) {
    talk.hear(question);
    const { response } = last(await talk.next("response.done"));
    const [heard] = await talk.some("conversation.item.input_audio_transcription.completed");
    const deltas = await talk.some("response.output_audio.delta");
    const sound = deltas.map((event) => Buffer.from(event.delta, "base64").length);
    return {
      said: response.output[0].content[0].transcript,
      heard: heard.transcript,
      bytes: sound.reduce((sum, more) => sum + more, 0),
    };
  },

  async tool(talk) {
    talk.hear(errand);
    const [call] = last(await talk.next("response.done")).response.output;
    const output = JSON.stringify({ temperature_c: 17 });
    talk.send("conversation.item.create", {
      item: { type: "function_call_output", call_id: call.call_id, output },
    });
    talk.send("response.create");
    const { response } = last(await talk.next("response.done"));
    return { called: JSON.parse(call.arguments), said: response.output[0].content[0].transcript };
  },

  async barge_in(talk) {
    talk.type(story);
    talk.send("response.create");
    const delta = last(await talk.next("response.output_audio.delta"));
    talk.hear(question);
    const cut = last(await talk.next("response.done")).response;
    talk.send("conversation.item.truncate", { item_id: delta.item_id, content_index: 0, audio_end_ms: 30 });
    const { response } = last(await talk.next("response.done"));
    const [truncated] = await talk.some("conversation.item.truncated");
    return {
      status: cut.status,
      cut_ms: truncated.audio_end_ms,
      said: response.output[0].content[0].transcript,
    };
  },

  async cancel(talk) {
    talk.type(story);
    talk.send("response.create");
    await talk.next("response.output_audio.delta");
    talk.send("response.cancel");
    const { response } = last(await talk.next("response.done"));
    return { status: response.status, reason: response.status_details.reason };
  },
};

const through = (Realtime) => async () => {
  const seen = {};
  for (const [name, scenario] of Object.entries(scenarios)) seen[name] = await talking(Realtime, scenario);
  return seen;
};

await tell({
  ws: through(OpenAIRealtimeWS),
  websocket: through(OpenAIRealtimeWebSocket), // shows its key as a subprotocol, as in a browser

  ephemeral: async () => {
    const session = { type: "realtime", model, instructions: "Say 'Ahoy'." };
    const { value } = await client.realtime.clientSecrets.create({ session });
    const talk = new Talk(OpenAIRealtimeWebSocket, new OpenAI({ apiKey: value, baseURL }));
    const [created] = await talk.next("session.created");
    talk.rt.close();
    return { key: value.slice(0, 3), instructions: created.session.instructions, errors: talk.errors };
  },
});
