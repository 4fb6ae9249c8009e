// The server's interface: models, and answers as they come.

const KEY = "convergio.key";
let key = null;
try { key = sessionStorage.getItem(KEY); } catch { /* then it is kept in this variable alone */ }

// A refusal, in the server's words.
export class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export function useKey(given) {
  if (/[^\x20-\x7e]/.test(given)) {
    throw new Refused("The key has characters that no request can carry.");
  }
  key = given;
  try { sessionStorage.setItem(KEY, given); } catch { /* see above */ }
}

async function ask(path, options = {}) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  const { status } = response;
  throw new Refused(told?.error?.message ?? `The server answered ${status}.`, status);
}

// Ids and windows of the models that are served.
export async function models() {
  return (await (await ask("v1/models")).json()).data;
}

// The choices of an answer's chunks, as they come.
export async function* answer(body, signal) {
  const options = { method: "POST", body: JSON.stringify({ ...body, stream: true }), signal };
  const response = await ask("v1/chat/completions", options);
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(chunk.error.message);
    if (chunk.choices.length) yield chunk.choices[0];
  }
  throw new Refused("The answer broke off. Is the server still running?");
}

// The data of server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        if (error.name === "AbortError") throw error;
        return { done: true };
      });
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
