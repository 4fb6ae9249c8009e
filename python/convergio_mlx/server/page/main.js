// The page: one chat that is shown, the list of those that are kept, and the answer under way.

import * as chats from "./chats.js";
import { element } from "./markdown.js";
import { button, messageView, sendOnEnter } from "./messages.js";
import { Refused, answer, models, useKey } from "./server.js";

const byId = (id) => document.getElementById(id);
const FIELDS = ["model", "system", "temperature", "max_tokens", "tools"];
const HERE = "convergio.here"; // the chat of this tab
const [SAVE_MS, SHOW_MS] = [1000, 60];

let chat = chats.newChat({});
let running = null; // the AbortController of the answer under way

const tell = (text) => { byId("status").textContent = text; };
const fail = (text) => { byId("error").textContent = text; };

function keep(mine) {
  if (mine.removed) return;
  try {
    if (chats.save(mine)) {
      tell("This chat was changed in another tab; what is here is kept as a chat of its own.");
    }
    if (mine === chat) remember();
  } catch {
    fail("This browser has no room for this chat, which is lost with this page. Delete others.");
  }
  showList();
}

function remember() {
  try { sessionStorage.setItem(HERE, chat.id); } catch { /* then a reload begins a new chat */ }
}

function remembered() {
  try { return chats.load(sessionStorage.getItem(HERE)); } catch { return null; }
}

function showList() {
  const entries = chats.all().map((one) => {
    const title = chats.titleOf(one);
    const opener = button(title, () => { open(one); leaveList(); });
    if (one.id === chat.id) opener.setAttribute("aria-current", "true");
    const remover = button("×", () => remove(one), { "aria-label": `Delete ${title}` });
    return element("li", {}, opener, remover);
  });
  const focused = [...byId("list").querySelectorAll("button")].indexOf(document.activeElement);
  byId("list").replaceChildren(...entries);
  if (focused >= 0) byId("list").querySelectorAll("button")[focused]?.focus();
}

function remove(one) {
  if (!confirm(`Delete “${chats.titleOf(one)}”?`)) return;
  chats.remove(one.id);
  if (one.id === chat.id) {
    chat.removed = true; // an answer under way must not bring it back
    open(fresh());
  }
  showList();
  byId("new").focus();
}

const fresh = () => chats.newChat({ model: chat.model });

function open(one) {
  running?.abort();
  running = null;
  chat = one;
  for (const name of FIELDS) if (name !== "model") byId(name).value = chat[name] ?? "";
  const known = [...byId("model").options].some((option) => option.value === chat.model);
  if (known) byId("model").value = chat.model;
  fail("");
  tell("");
  remember();
  showMessages();
  showList();
  scrollTo(0, document.body.scrollHeight);
}

function showMessages() {
  byId("messages").replaceChildren(...chat.messages.map(viewOf));
  showState();
}

function viewOf(message) {
  const from = (offset) => chat.messages.splice(chat.messages.indexOf(message) + offset);
  return messageView(message, {
    edit: (content) => {
      if (!optionsAreSound()) return;
      from(0);
      say({ role: "user", content });
      byId("question").focus();
    },
    again: () => {
      if (!optionsAreSound()) return;
      from(message.role === "assistant" ? 0 : 1);
      showMessages();
      run();
      byId("question").focus();
    },
  });
}

// The calls of a message that are to have results: none of an answer that was interrupted, whose last
// call may be half of one, and of whose other calls nobody knows whether they were all.
const callsOf = ({ tool_calls: calls, finish }) => (finish === "tool_calls" ? calls : undefined);

// The call whose result is to be given next.
function pendingCall() {
  const given = new Set(chat.messages.map((message) => message.tool_call_id));
  const last = chat.messages.findLast(({ role }) => role !== "tool");
  return last && callsOf(last)?.find((call) => !given.has(call.id));
}

function showState() {
  const call = running ? undefined : pendingCall();
  byId("prompt").textContent = call ? `Result of ${call.function.name}` : "Message";
  byId("send").hidden = running !== null;
  byId("stop").hidden = running === null;
  byId("messages").setAttribute("aria-busy", String(running !== null));
  for (const one of byId("messages").querySelectorAll(".act")) one.disabled = running !== null;
  byId("in-use").hidden = !FIELDS.some((name) => name !== "model" && chat[name]);
  document.title = `${chats.titleOf(chat)} · convergio-mlx`;
}

function send() {
  const content = byId("question").value;
  if (!content.trim() || running || !optionsAreSound()) return;
  const call = pendingCall();
  const result = { role: "tool", tool_call_id: call?.id, name: call?.function.name, content };
  say(call ? result : { role: "user", content });
  byId("question").value = "";
  byId("question").focus();
}

// Adds a message, and has it answered once no result of a tool is wanting.
function say(message) {
  chat.messages.push(message);
  showMessages();
  if (pendingCall()) keep(chat);
  else run();
}

// Whether they can be sent; tells what is wrong with them.
function optionsAreSound() {
  const wrong = ["temperature", "max_tokens"].map(byId).find((input) => !input.checkValidity());
  fail("");
  try {
    if (byId("tools").value.trim()) JSON.parse(byId("tools").value);
  } catch (error) {
    fail(`The tools are no JSON: ${error.message}`);
  }
  if (!wrong && !byId("error").textContent) return true;
  byId("options").open = true;
  wrong?.reportValidity();
  return false;
}

function bodyOf({ model, system, temperature, max_tokens: most, tools, messages }) {
  const wire = (message) => {
    const { role, content, tool_call_id, name } = message;
    return { role, content, tool_calls: callsOf(message), tool_call_id, name };
  };
  const first = system?.trim() ? [{ role: "system", content: system }] : [];
  return {
    model,
    messages: [...first, ...messages.map(wire)],
    temperature: temperature ? Number(temperature) : undefined,
    max_tokens: most ? Number(most) : undefined,
    tools: tools?.trim() ? JSON.parse(tools) : undefined,
  };
}

async function run() {
  const mine = chat;
  const controller = (running = new AbortController());
  fail("");
  tell("The model answers …");
  mine.model = byId("model").value;
  const asked = bodyOf(mine);
  const message = { role: "assistant", content: "", model: mine.model };
  mine.messages.push(message);
  const view = viewOf(message);
  byId("messages").append(view);
  showState();
  keep(mine);
  follow(true);
  const showing = every(SHOW_MS, () => follow(atEnd(), view));
  const saving = every(SAVE_MS, () => keep(mine));
  try {
    for await (const { delta, finish_reason: reason } of answer(asked, controller.signal)) {
      add(message, delta);
      if (reason) message.finish = reason;
      showing.soon();
      saving.soon();
    }
  } catch (error) {
    message.finish = error.name === "AbortError" ? "stopped" : "failed";
    if (mine === chat) failed(error);
  }
  showing.end();
  saving.end();
  if (running === controller) running = null;
  const isEmpty = !message.content && !message.reasoning && !message.tool_calls;
  if (isEmpty && message.finish !== "stop") mine.messages.splice(mine.messages.indexOf(message), 1);
  keep(mine);
  if (mine !== chat) return;
  if (isEmpty) showMessages();
  const stays = atEnd();
  view.update();
  follow(stays);
  showState();
  const spoken = view.querySelector(":scope > .text").textContent;
  tell(message.finish === "stopped" ? "Stopped." : spoken);
  if (document.activeElement === document.body) byId("question").focus();
}

function add(message, { content, reasoning_content: reasoning, tool_calls: calls }) {
  if (content) message.content += content;
  if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
  for (const { index: _, ...call } of calls ?? []) (message.tool_calls ??= []).push(call);
}

// Runs `work` at most once in so many milliseconds, after it was asked for.
function every(milliseconds, work) {
  let timer = null;
  return {
    soon() {
      timer ??= setTimeout(() => { timer = null; work(); }, milliseconds);
    },
    end() { clearTimeout(timer); },
  };
}

const atEnd = () => document.documentElement.scrollHeight - innerHeight - scrollY < 60;

// Shows what is new; stays at the end where the reader is there.
function follow(stays, view) {
  view?.update();
  if (stays) scrollTo(0, document.documentElement.scrollHeight);
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (error instanceof Refused && error.status === 401) askForKey();
  fail(error instanceof Refused ? error.message : `This page failed: ${error.message}`);
}

function askForKey(asks = true) {
  byId("gate").hidden = !asks;
  byId("ask").hidden = byId("options").hidden = asks;
  if (asks) byId("key").focus();
}

async function start() {
  fail("");
  try {
    const found = await models();
    byId("model").replaceChildren(...found.map(({ id }) => element("option", { value: id }, id)));
    askForKey(false);
    if (!found.length) fail("No model is installed; `convergio-mlx models download` gets one.");
    const [last] = chats.all();
    open(remembered() ?? chats.newChat({ model: last?.model }));
    byId("question").focus();
  } catch (error) {
    failed(error);
  }
}

function leaveList() {
  if (byId("toggle").getAttribute("aria-expanded") === "true") toggleList();
  byId("question").focus();
}

function toggleList() {
  const shown = byId("toggle").getAttribute("aria-expanded") !== "true";
  byId("toggle").setAttribute("aria-expanded", String(shown));
  if (shown) byId("new").focus();
}

for (const name of FIELDS) {
  byId(name).addEventListener("change", () => {
    chat[name] = byId(name).value;
    showState();
    if (chat.messages.length) keep(chat);
  });
}
byId("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    useKey(byId("key").value);
    byId("key").value = "";
    start();
  } catch (error) {
    failed(error);
  }
});
sendOnEnter(byId("question"), send);
byId("stop").addEventListener("click", () => { running?.abort(); byId("question").focus(); });
byId("new").addEventListener("click", () => { open(fresh()); leaveList(); });
byId("toggle").addEventListener("click", toggleList);
addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  if (running) running.abort();
  else if (byId("toggle").getAttribute("aria-expanded") === "true") {
    toggleList();
    byId("toggle").focus();
  }
});
addEventListener("pagehide", () => { if (running) keep(chat); });
chats.watch((id, before, from) => {
  showList();
  const kept = chats.load(chat.id);
  if (id !== chat.id || !kept || kept.revision === chat.revision) return;
  if (before === chat.revision && from !== before) keep(chat); // it was overwritten
  else if (!running && !document.querySelector(".edit")) open(kept);
});
start();
