// How messages are shown.

import { codeBox, element, show } from "./markdown.js";

export const button = (label, onclick, properties = {}) =>
  element("button", { type: "button", onclick, ...properties }, label);

// A button that copies what `text` returns.
export function copyButton(text, label = "Copy") {
  const made = button(label, async () => {
    const copied = await copy(text());
    made.textContent = copied ? "Copied" : "Not copied";
    setTimeout(() => { made.textContent = label; }, 2000);
  });
  return made;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // there is no such clipboard over HTTP from another machine
    const area = element("textarea", { value: text, className: "unseen" });
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return copied;
  }
}

// Has a text area send on Enter, and Shift+Enter start a new line.
export function sendOnEnter(area, send) {
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
}

const TITLES = { user: "You", assistant: "Answer", tool: "Result" };

// A message's element, whose `update` shows what was added to the message since.
export function messageView(message, { edit, again }) {
  const title = message.name ? `${TITLES[message.role]} of ${message.name}` : TITLES[message.role];
  const heading = element("h2", {}, title);
  if (message.model) heading.append(element("small", {}, ` ${message.model}`));
  const actions = element("div", { className: "actions" }, copyButton(() => message.content));
  const body = element("div", { className: message.role === "assistant" ? "text" : "text as-is" });
  const named = { className: message.role, "aria-label": title };
  const root = element("article", named, heading, body, actions);
  if (message.role === "assistant") {
    actions.append(button("Answer again", again, { className: "act again" }));
    root.update = answerUpdate(message, root, body);
  } else {
    body.textContent = message.content;
    root.update = () => {};
    actions.append(button("Ask again", again, { className: "act again" }));
    if (message.role === "user") {
      const editing = () => root.replaceChildren(heading, editForm(message, edit, cancel));
      const cancel = () => {
        root.replaceChildren(heading, body, actions);
        opener.focus();
      };
      const opener = button("Edit", () => {
        editing();
        root.querySelector("textarea").focus();
      }, { className: "act" });
      actions.append(opener);
    }
  }
  root.update();
  return root;
}

function editForm(message, edit, cancel) {
  const named = { value: message.content, rows: 4, "aria-label": "Your message" };
  const area = element("textarea", named);
  const send = () => { if (area.value.trim()) edit(area.value); };
  sendOnEnter(area, send);
  const form = element("form", { className: "edit" }, area,
    element("button", { className: "act" }, "Send instead"), button("Cancel", cancel));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    cancel();
  });
  return form;
}

const NOTES = {
  length: "Cut off at the limit of tokens.",
  stopped: "Stopped.",
  failed: "Not complete.",
};

function answerUpdate(message, root, body) {
  const thoughts = element("p", { className: "text as-is" });
  const summary = element("summary");
  const reasoning = element("details", { className: "reasoning" }, summary, thoughts);
  const calls = element("div", { className: "calls" });
  const note = element("p", { className: "note" });
  return () => {
    if (message.reasoning) {
      if (!reasoning.isConnected) body.before(reasoning);
      summary.textContent = message.finish || message.content ? "Reasoning" : "Reasoning …";
      if (thoughts.textContent !== message.reasoning) thoughts.textContent = message.reasoning;
    }
    show(body, message.content, copyButton);
    for (const { function: called } of (message.tool_calls ?? []).slice(calls.children.length)) {
      const title = element("p", {}, "Calls the tool ", element("code", {}, called.name));
      calls.append(element("div", {}, title, codeBox("Arguments", called.arguments)));
    }
    if (calls.children.length && !calls.isConnected) body.after(calls);
    note.textContent = message.finish ? NOTES[message.finish] ?? "" : "…";
    if (note.textContent) root.lastElementChild.before(note);
    else note.remove();
  };
}
