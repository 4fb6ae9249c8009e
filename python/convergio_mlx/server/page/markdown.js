// Markdown as elements: paragraphs, headings, lists, code. Whatever else a model writes stays text.

// No pattern here can take longer than in proportion to the text.
const INLINE =
  /`([^`\n]+)`|\*\*([^\s*](?:[^*]*[^\s*])?)\*\*|(?<![*\w])\*([^\s*](?:[^*]*[^\s*])?)\*(?![*\w])/g;
const FENCE = /^ {0,3}(```+|~~~+)(.*)$/s;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/s;
const HEADING = /^(#{1,6})\s+(.*)$/s;

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) {
    if (property in made) made[property] = value;
    else made.setAttribute(property, value);
  }
  made.append(...children);
  return made;
}

// Code that scrolls, by keyboard too.
export const codeBox = (label, content) =>
  element("pre", { tabIndex: 0, role: "group", "aria-label": label }, content);

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, strong, emphasis] = match;
    parts.push(text.slice(end, match.index));
    if (code !== undefined) parts.push(element("code", {}, code));
    else if (strong !== undefined) parts.push(element("strong", {}, strong));
    else parts.push(element("em", {}, emphasis));
    end = match.index + all.length;
  }
  return [...parts, text.slice(end)];
}

// The blocks of a text, each with its lines.
function blocks(text) {
  const found = [];
  let last = null;
  let fence = null;
  const open = (kind, line) => found.push((last = { kind, lines: [line] }));
  for (const line of text.split("\n")) {
    const mark = line.match(FENCE);
    if (fence) {
      last.lines.push(line);
      const closes = mark && mark[1].startsWith(fence) && !mark[2].trim();
      if (closes) { last.closed = true; last = fence = null; }
    } else if (mark) {
      open("code", line);
      fence = mark[1];
    } else if (!line.trim()) {
      if (last?.kind === "list") last.lines.push(line);
      else last = null;
    } else if (HEADING.test(line)) {
      open("heading", line);
      last = null;
    } else if (ITEM.test(line) || (last?.kind === "list" && /^\s{2,}/.test(line))) {
      if (last?.kind === "list") last.lines.push(line);
      else open("list", line);
    } else if (last && !(last.kind === "list" && !last.lines.at(-1).trim())) {
      last.lines.push(line);
    } else {
      open("paragraph", line);
    }
  }
  return found;
}

function list(lines) {
  const root = { indent: -1, items: [] };
  const above = [root];
  for (const line of lines) {
    const item = line.match(ITEM);
    if (!item) {
      if (line.trim()) above.at(-1).text += `\n${line.trim()}`;
      continue;
    }
    const indent = item[1].length;
    while (above.at(-1).indent >= indent) above.pop();
    const node = { indent, mark: item[2], text: item[3], items: [] };
    above.at(-1).items.push(node);
    above.push(node);
  }
  const made = ({ items }) => {
    const ordered = /\d/.test(items[0].mark);
    const entries = items.map((item) =>
      element("li", {}, ...inline(item.text), ...(item.items.length ? [made(item)] : [])));
    const start = ordered ? { start: Number.parseInt(items[0].mark, 10) } : {};
    return element(ordered ? "ol" : "ul", start, ...entries);
  };
  return made(root);
}

function node({ kind, lines, closed }, copyButton) {
  if (kind === "list") return list(lines);
  if (kind === "heading") {
    const [, marks, text] = lines[0].match(HEADING);
    return element(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(text));
  }
  if (kind === "code") {
    const code = lines.slice(1, closed ? -1 : undefined).join("\n");
    const shown = codeBox("Code", element("code", {}, code));
    return element("div", { className: "code" }, shown, copyButton(() => code, "Copy code"));
  }
  return element("p", {}, ...inline(lines.join("\n")));
}

// Has an element show a text. Blocks that are as before stay, with what the reader has selected.
export function show(into, text, copyButton) {
  const sourceOf = ({ closed, lines }) => [closed, ...lines].join("\n");
  const wanted = blocks(text).map((block) => ({ ...block, source: sourceOf(block) }));
  const before = [...into.children];
  wanted.forEach((block, index) => {
    const old = before[index];
    if (old?.source === block.source) return;
    const made = Object.assign(node(block, copyButton), { source: block.source });
    if (old) old.replaceWith(made);
    else into.append(made);
  });
  before.slice(wanted.length).forEach((old) => old.remove());
}
