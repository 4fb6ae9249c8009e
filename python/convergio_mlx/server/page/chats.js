// The chats that this browser keeps: one entry of localStorage each, so that tabs write beside
// each other. An entry has the revision that it was made from. Where two tabs change one chat, the
// second to write keeps its own as a copy; what was overwritten all the same, its tab keeps again.

const PREFIX = "convergio.chat.";
const ROLES = new Set(["user", "assistant", "tool"]);

const hex = (byte) => byte.toString(16).padStart(2, "0");
export const newId = () => [...crypto.getRandomValues(new Uint8Array(8))].map(hex).join("");

export const newChat = (settings) => ({ ...settings, id: newId(), messages: [], changed: 0 });

export function titleOf(chat) {
  const words = chat.messages.find((message) => message.role === "user")?.content ?? "";
  return words.trim().replace(/\s+/g, " ").slice(0, 80) || "New chat";
}

function read(name) {
  try {
    const chat = JSON.parse(localStorage.getItem(name));
    const sound = ({ role, content }) => ROLES.has(role) && typeof content === "string";
    return chat.messages.every(sound) ? settled(chat) : null;
  } catch {
    return null; // not of this page: left as it is
  }
}

// A chat whose page was closed amid an answer, or is amid one in another tab.
function settled(chat) {
  const begun = ({ role, finish, content, reasoning, tool_calls: calls }) =>
    role !== "assistant" || finish || content || reasoning || calls;
  chat.messages = chat.messages.filter(begun);
  for (const message of chat.messages) {
    if (message.role === "assistant") message.finish ??= "failed";
  }
  return chat;
}

export const load = (id) => read(PREFIX + id);

// All of them, the last changed first.
export function all() {
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
    const chats = names.map(read).filter((chat) => chat !== null);
    return chats.sort((a, b) => b.changed - a.changed);
  } catch {
    return []; // a browser that keeps nothing
  }
}

// Writes a chat; as a copy where another tab has changed it, which is then true. Throws where the
// browser has no room.
export function save(chat) {
  const kept = load(chat.id);
  const copied = kept !== null && kept.revision !== chat.revision;
  if (copied) chat.id = newId();
  const from = copied ? null : chat.revision;
  Object.assign(chat, { from, revision: newId(), changed: Date.now() });
  localStorage.setItem(PREFIX + chat.id, JSON.stringify(chat));
  return copied;
}

export function remove(id) {
  localStorage.removeItem(PREFIX + id);
}

// Calls back when another tab has changed or deleted a chat: with its id, the revision that was
// there before, and the one that the change was made from.
export function watch(callback) {
  const parsed = (text) => { try { return JSON.parse(text); } catch { return null; } };
  addEventListener("storage", ({ key, oldValue, newValue }) => {
    if (key !== null && !key.startsWith(PREFIX)) return;
    callback(key?.slice(PREFIX.length), parsed(oldValue)?.revision, parsed(newValue)?.from);
  });
}
