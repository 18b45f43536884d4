// Stands in for a model: remembers answers in Promptfoo's cache, fails or returns an object.
export default class Awkward {
  id() {
    return "awkward-model";
  }

  async callApi(prompt, context) {
    if (prompt.includes("make the model fail")) {
      return { error: "The model service closed the connection" };
    }
    const cache = context?.getCache ? await context.getCache() : null;
    const known = await cache?.get(`awkward:${prompt}`);
    if (known) {
      return { ...JSON.parse(known), cached: true };
    }
    const text = `You asked: ${prompt} It is £26, and a hire day has 24 hours.`;
    const prices = { currency: "GBP", prices: { "tile cutter": 26, größe: null } };
    const result = {
      output: prompt.includes("as an object") ? prices : text,
      tokenUsage: { total: 60, prompt: 40, completion: 20 },
      cost: 0.000123,
      metadata: { model: "awkward-1" },
    };
    await cache?.set(`awkward:${prompt}`, JSON.stringify(result));
    return result;
  }
}
