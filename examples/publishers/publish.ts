// Publishes one event: publish.ts [TITLE [ID]]
const [title = "Hello", id = crypto.randomUUID()] = process.argv.slice(2);
const event = {
  specversion: "1.0", id, source: "/examples/typescript", type: "system.Alert",
  data: { org: "acme", severity: "info", title, message: "from TypeScript" },
};

async function publish(): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const headers = { authorization: `Bearer ${process.env.FANFARE_TOKEN}`, "content-type": "application/cloudevents+json" };
    const request = { method: "POST", headers, body: JSON.stringify(event), signal: AbortSignal.timeout(10_000) };
    // No answer: it may be stored or not, and the same id again is safe.
    const answer = await fetch(`${process.env.FANFARE_URL}/events`, request).catch(() => undefined);
    if (answer?.status === 202) return answer.text();
    const again = answer === undefined || [408, 429, 503, 504].includes(answer.status);
    if (!again || attempt === 5) throw new Error(answer ? `${answer.status}: ${await answer.text()}` : "no answer");
    await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** attempt));
  }
}

console.log(await publish());
export {};
