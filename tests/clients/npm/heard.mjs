// What every program here shares: where the server is, what is said to it, how a wait ends, how it is told.
import { readFileSync } from "node:fs";

export const [url, folder, key] = process.argv.slice(2);
export const question = readFileSync(`${folder}/question.pcm`);
export const errand = readFileSync(`${folder}/errand.pcm`);
export const story = "Tell me a long story.";
export const model = "gpt-realtime-2.1";

/** Pieces of 100 ms. */
export function* pieces(pcm) {
  for (let at = 0; at < pcm.length; at += 4800) yield pcm.subarray(at, at + 4800);
}

/** What was seen so far, the errors among it; `until` waits for more. */
export class Board {
  errors = [];
  #waiting = new Set();

  changed() {
    for (const look of [...this.#waiting]) look();
  }

  /** The first truthy value of `find`, which is called whenever something was seen. */
  until(find, what) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => end(() => reject(new Error(`never came: ${what}; errors: ${this.errors}`))), 60_000);
      const end = (then) => {
        clearTimeout(late);
        this.#waiting.delete(look);
        then();
      };
      const look = () => {
        const found = find();
        if (found) end(() => resolve(found));
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** Runs scenarios in turn and prints what each saw, as the last line. */
export async function tell(scenarios) {
  const seen = {};
  for (const [name, scenario] of Object.entries(scenarios)) seen[name] = await scenario();
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
}
