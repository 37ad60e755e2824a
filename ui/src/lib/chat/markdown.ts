import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens } from "marked";
import remend from "remend";

/** What an answer may consist of. No image and no form: nothing may call out or pose as the app. */
const TAGS = [
  ..."p br hr em strong del code pre blockquote ul ol li a h3 h4 h5 h6 table thead tbody tr th td div span".split(" "),
];
const ATTRIBUTES = ["href", "title", "start", "align", "tabindex"];

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const marked = new Marked({
  gfm: true,
  renderer: {
    // Markup in an answer is text.
    html: ({ text }) => escaped(text),
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code: ({ text }) => `<pre tabindex="0"><code>${escaped(text)}</code></pre>`,
    // The page has its own first and second heading.
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
  },
});

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  if (!/^(https?|mailto):/i.test(node.getAttribute("href") ?? "")) node.removeAttribute("href");
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** The blocks of a text, without the blank lines between them. */
export function blocksOf(text: string): Token[] {
  return marked.lexer(text);
}

/** One block as safe nodes. `open`: it may still grow, so that what it has begun is closed for now. */
export function render(block: Token, open = false): DocumentFragment {
  const tokens = open ? marked.lexer(remend(block.raw)) : [block];
  return sanitize(marked.parser(tokens));
}

/** Safe nodes of HTML. */
export function sanitize(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

export const isCode = (block: Token): block is Tokens.Code => block.type === "code";
export const isList = (block: Token): block is Tokens.List => block.type === "list";
export const isTable = (block: Token): block is Tokens.Table => block.type === "table";
