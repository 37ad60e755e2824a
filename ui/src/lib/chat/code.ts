import { ICONS } from "../../parts/icons";
import { slices } from "./slices";

/** Lines of growing code that share one element: a new line is laid out with so many others at most. */
const CHUNK_LINES = 40;
/** Longer code is not coloured. */
const HIGHLIGHT_CHARS_MAX = 20_000;

/** What a code block's frame says. */
export type CodeWords = { code: string; copy: string };

/** A block of code that may still grow. */
export class CodeBlock {
  readonly element = document.createElement("div");
  readonly #code = document.createElement("code");
  #text = "";
  #last: HTMLElement | undefined;
  #lines = 0;
  readonly #name = document.createElement("span");
  readonly #pre = document.createElement("pre");
  readonly #words: CodeWords;
  #language = "";

  constructor(words: CodeWords) {
    this.#words = words;
    const head = document.createElement("div");
    head.className = "md-head";
    const copy = document.createElement("button");
    copy.type = "button";
    copy.dataset.copy = "";
    copy.append(icon("copy"), words.copy);
    head.append(this.#name, copy);
    this.#pre.tabIndex = 0;
    this.#pre.setAttribute("role", "group");
    this.#pre.setAttribute("aria-label", words.code);
    this.#pre.append(this.#code);
    this.element.className = "md-code";
    this.element.append(head, this.#pre);
  }

  /** Shows the code as far as it is known. Its language may still grow as well. */
  show(text: string, info = ""): void {
    const language = info.trim().split(/\s/)[0]?.toLowerCase() ?? "";
    if (language !== this.#language) {
      this.#language = language;
      this.#name.textContent = language;
      this.#pre.setAttribute("aria-label", `${this.#words.code}: ${language}`);
    }
    if (!text.startsWith(this.#text)) {
      this.#code.replaceChildren();
      this.#text = "";
      this.#last = undefined;
    }
    for (const line of text.slice(this.#text.length).split(/(?<=\n)/)) {
      if (!line) continue;
      if (!this.#last || this.#lines >= CHUNK_LINES) {
        this.#last = this.#code.appendChild(document.createElement("span"));
        this.#lines = 0;
      }
      this.#last.append(line);
      if (line.endsWith("\n")) this.#lines += 1;
    }
    this.#text = text;
  }

  /** It is whole: colours come when there is time. */
  close(): void {
    if (!this.#language || this.#text.length > HIGHLIGHT_CHARS_MAX) return;
    void import("./highlight").then(({ highlight }) => {
      const code = this.#code;
      const [text, language] = [this.#text, this.#language];
      slices.add(
        (function* () {
          const coloured = highlight(text, language);
          if (coloured) code.replaceChildren(coloured);
        })(),
      );
    });
  }
}

function icon(name: keyof typeof ICONS): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 20 20", width: "14", height: "14", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  svg.classList.add("md-icon");
  return svg;
}
