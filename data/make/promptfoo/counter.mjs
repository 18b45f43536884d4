// A stand-in model for Promptfoo: canned answers, token counts from text length, some errors.
import { readFileSync } from "node:fs";

const answers = JSON.parse(readFileSync(new URL("answers.json", import.meta.url), "utf8"));
const tokens = (text) => Math.max(1, Math.round(text.length / 4.2));

export default class CounterAssistant {
  id() {
    return "counter-assistant";
  }

  async callApi(prompt, context) {
    const version = prompt.includes("Explain fully") ? "v2" : "v1";
    const output = answers[context.vars.question][version];
    if (output === null) {
      return { error: "The model service closed the connection before an answer" };
    }
    const usage = { prompt: tokens(prompt), completion: tokens(output) };
    await new Promise((done) => setTimeout(done, 40 + 3 * usage.completion));
    return {
      output,
      tokenUsage: { ...usage, total: usage.prompt + usage.completion },
      cost: usage.prompt * 0.4e-6 + usage.completion * 1.6e-6,
      metadata: { model: "counter-small-1" },
    };
  }
}
