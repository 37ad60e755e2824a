import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const languages = { bash, c, css, diff, go, ini, java, javascript, json, python, rust, sql, typescript, xml, yaml };
for (const [name, language] of Object.entries(languages)) hljs.registerLanguage(name, language);
hljs.registerAliases(["sh", "shell", "console"], { languageName: "bash" });
hljs.registerAliases(["cpp", "c++", "h"], { languageName: "c" });
hljs.registerAliases(["kotlin", "cs", "csharp"], { languageName: "java" });

/** Code with the classes `hljs-…`, or nothing where the language is not known. */
export function highlight(text: string, language: string): DocumentFragment | null {
  if (!hljs.getLanguage(language)) return null;
  const { value } = hljs.highlight(text, { language, ignoreIllegals: true });
  const fragment = document.createDocumentFragment();
  // Only <span class="hljs-…"> and escaped text come out of highlight.js; read back as exactly that.
  const parsed = new DOMParser().parseFromString(value, "text/html").body;
  copySpans(parsed, fragment);
  return fragment;
}

function copySpans(from: Node, to: Node): void {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) to.appendChild(document.createTextNode(child.nodeValue ?? ""));
    else if (child instanceof HTMLSpanElement) {
      const span = document.createElement("span");
      span.className = child.className;
      copySpans(child, to.appendChild(span));
    }
  }
}
