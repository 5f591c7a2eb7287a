// The timeline of a call: entries as the server tells them, in the order in which they come.
// It must not know where they come from.

// A call of an hour has some hundred; what is older than this is dropped.
const MOST = 2000;

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

// What every request about the call begins with, after the version.
const CALL = new RegExp(`/communications/calls/${ID.source}`, "g");

// An id as one is shown: its end differs where its beginning, a time, does not. The joiner keeps it on one line.
function short(id) {
  return `…\u2060${id.slice(-5)}`;
}

export class Timeline {
  #list;
  #changed;
  #begin = null;

  // `changed` is told how many entries there are.
  constructor(list, changed) {
    this.#list = list;
    this.#changed = changed;
    list.addEventListener("pointerover", ({ target }) => this.#mark(target.closest("li")?.dataset.operation));
    list.addEventListener("pointerleave", () => this.#mark(undefined));
  }

  clear() {
    this.#begin = null;
    this.#list.replaceChildren();
    this.#changed(0);
  }

  // {at: microseconds since 1970, kind, text, operation?, tookMs?}
  add({ at, kind, text, operation, tookMs }) {
    this.#begin ??= at;
    const item = document.createElement("li");
    item.dataset.kind = kind;
    const seconds = ((at - this.#begin) / 1e6).toFixed(3);
    const time = piece("time", "", seconds);
    time.dateTime = new Date(at / 1000).toISOString();
    time.title = new Date(at / 1000).toLocaleString();
    const said = piece("span", "text", text.replace(CALL, "/…").replace(ID, short));
    said.title = text;
    item.append(time, " ", piece("span", "kind", kind), " ", said);
    if (operation !== undefined) {
      item.dataset.operation = operation;
      const id = piece("code", "operation", short(operation));
      id.title = `operation ${operation}`;
      item.append(" ", id);
    }
    const took = tookMs === undefined ? "" : `${tookMs.toFixed(1)} ms`;
    if (took !== "") item.append(" ", piece("span", "took", took));
    item.dataset.line = [time.dateTime, kind, text, operation, took].filter(Boolean).join("  ");
    this.#append(item);
  }

  // The server told more than was read in time.
  missed(count) {
    const item = document.createElement("li");
    item.dataset.kind = "missed";
    item.dataset.line = `${count} entries were missed here`;
    item.append(piece("span", "text", item.dataset.line));
    this.#append(item);
  }

  // As lines of text.
  text() {
    return Array.from(this.#list.children, (item) => item.dataset.line).join("\n");
  }

  #append(item) {
    const list = this.#list;
    const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(item);
    if (list.childElementCount > MOST) list.firstElementChild.remove();
    this.#changed(list.childElementCount);
    if (follows) list.scrollTop = list.scrollHeight;
  }

  // Shows which entries are about one operation.
  #mark(operation) {
    for (const item of this.#list.children) {
      item.classList.toggle("same", operation !== undefined && item.dataset.operation === operation);
    }
  }
}

function piece(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}
