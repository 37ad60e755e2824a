import type { Token } from "marked";

import { CodeBlock, type CodeWords } from "./code";
import { blocksOf, isCode, isList, isTable, render } from "./markdown";
import { type Work, slices } from "./slices";

/** A list longer than this is continued in a second one while it grows. */
const LIST_ITEMS_MAX = 12;
/** After a picture that took long, the next one waits so many times as long: the window stays quick. */
const REST_FACTOR = 4;

/**
 * Markdown on the screen, block by block. While an answer grows only its last block is drawn again; all before it is
 * left alone, so that a frame costs the same in a long answer as in a short one.
 */
export class MarkdownView {
  readonly #root: HTMLElement;
  readonly #words: CodeWords;
  /** How much of the text is in blocks that do not change any more. */
  #closed = 0;
  #open: HTMLElement | undefined;
  #openCode: CodeBlock | undefined;
  #notBefore = 0;
  #cancel: (() => void) | undefined;

  constructor(root: HTMLElement, words: CodeWords) {
    this.#root = root;
    this.#words = words;
  }

  /** Shows a whole text, in slices: plain first, then drawn. */
  fill(text: string): void {
    this.clear();
    const plain = document.createElement("div");
    plain.className = "md-plain";
    plain.textContent = text;
    this.#root.append(plain);
    this.#cancel = slices.add(this.#drawn(text, plain));
  }

  *#drawn(text: string, plain: HTMLElement): Work {
    const blocks = blocksOf(text);
    const drawn = document.createDocumentFragment();
    yield;
    for (const block of blocks) {
      const element = this.#whole(block);
      if (element) drawn.append(element);
      yield;
    }
    plain.replaceWith(drawn);
  }

  /** Shows a text that grows at its end. Returns whether it was drawn or must be tried again in the next frame. */
  grow(text: string, now: number): boolean {
    if (now < this.#notBefore) return false;
    const begun = performance.now();
    this.#advance(text, false);
    this.#notBefore = now + (performance.now() - begun) * REST_FACTOR;
    return true;
  }

  /** The text will not grow any more. */
  finish(text: string): void {
    this.#advance(text, true);
  }

  clear(): void {
    this.#cancel?.();
    this.#root.replaceChildren();
    this.#closed = 0;
    this.#open = undefined;
    this.#openCode = undefined;
  }

  #advance(text: string, whole: boolean): void {
    const blocks = blocksOf(text.slice(this.#closed));
    let last = blocks.length - 1;
    while (last >= 0 && blocks[last]?.type === "space") last -= 1;
    const until = whole ? blocks.length : last;
    for (const block of blocks.slice(0, Math.max(until, 0))) {
      this.#close(block);
      this.#closed += block.raw.length;
    }
    const open = whole ? undefined : blocks[last];
    if (open) this.#draw(open);
  }

  /** Puts a block that is whole where the open one was. */
  #close(block: Token): void {
    if (block.type === "space") return;
    if (isCode(block) && this.#openCode) {
      this.#openCode.show(block.text, block.lang);
      this.#openCode.close();
    } else {
      const element = this.#whole(block);
      if (element && this.#open) this.#open.replaceWith(element);
      else if (element) this.#root.append(element);
      else this.#open?.remove();
    }
    this.#open = undefined;
    this.#openCode = undefined;
  }

  #draw(block: Token): void {
    if (isCode(block)) return this.#drawCode(block.text, block.lang);
    if (isList(block) && block.items.length > LIST_ITEMS_MAX) return this.#splitList(block);
    this.#place(framed(render(block, true), block));
    this.#openCode = undefined;
  }

  #drawCode(text: string, language: string | undefined): void {
    if (!this.#openCode) {
      this.#openCode = new CodeBlock(this.#words);
      this.#place(this.#openCode.element);
    }
    this.#openCode.show(text, language);
  }

  #splitList(list: Token & { items: { raw: string }[]; raw: string }): void {
    const lastItem = list.items.at(-1)?.raw ?? "";
    const at = list.raw.lastIndexOf(lastItem);
    if (at <= 0) return this.#place(framed(render(list, true), list));
    const head = blocksOf(list.raw.slice(0, at)).find(isList);
    if (!head) return;
    this.#close(head);
    this.#closed += at;
    const rest = blocksOf(list.raw.slice(at))[0];
    if (rest) this.#draw(rest);
  }

  #place(element: HTMLElement): void {
    if (this.#open) this.#open.replaceWith(element);
    else this.#root.append(element);
    this.#open = element;
  }

  #whole(block: Token): HTMLElement | null {
    if (block.type === "space" || block.type === "def") return null;
    if (!isCode(block)) return framed(render(block), block);
    const code = new CodeBlock(this.#words);
    code.show(block.text, block.lang);
    code.close();
    return code.element;
  }
}

function framed(nodes: DocumentFragment, block: Token): HTMLElement {
  const element = document.createElement("div");
  element.className = "md-block";
  if (isTable(block)) {
    element.classList.add("md-table");
    element.tabIndex = 0;
    element.setAttribute("role", "group");
  }
  element.append(nodes);
  return element;
}
